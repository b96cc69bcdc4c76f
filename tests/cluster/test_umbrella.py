"""From three releases to one and back, and a broker that forgot everything."""

from collections.abc import Callable

from tests.cluster.installation import install, uninstall, until_ready, until_waiting
from tests.cluster.kubernetes import PARTS, Namespace
from tests.cluster.ten import IMAGES, waiting


def test_images_wait_while_three_releases_become_one_and_three_again(
    installed: Namespace, tell: Callable[[str], None]
) -> None:
    with waiting(installed):
        uninstall(installed, *PARTS)
        installed.shell("helm install pipeline ./charts/rayhound --take-ownership")
        until_ready(installed)
    with waiting(installed):
        installed.shell("helm uninstall pipeline")
        for part in PARTS:
            installed.shell(f"helm install my-{part} ./charts/{part}-chart --take-ownership")
        until_ready(installed)
    tell(f"three releases to one and back: {2 * IMAGES} waited, {2 * IMAGES} analysed")


def test_images_whose_requests_went_with_the_claim_of_rabbitmq_are_queued_again(
    installed: Namespace, tell: Callable[[str], None]
) -> None:
    with waiting(installed) as ids:
        uninstall(installed, "rabbitmq")
        installed.kubectl("delete", "persistentvolumeclaim", "rabbitmq-pvc")
        install(installed, "rabbitmq")
        until_waiting(installed, [])
        said = installed.shell("kubectl exec deploy/web-server -- rayhound requeue")
        assert sorted(line.split()[0] for line in said.splitlines()) == sorted(ids)
        until_waiting(installed, ids)
    tell(f"RabbitMQ's claim erased: {IMAGES} queued again, {IMAGES} analysed")
