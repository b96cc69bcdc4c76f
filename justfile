# One recipe per intent; CI calls the same ones. `just --list` names them all.

# "$@" then is what was typed, quoted as it was.
set positional-arguments

export PATH := justfile_directory() / ".venv/bin:" + env("PATH")

# Lists the recipes
default:
    @just --list

# Makes .venv with everything that development needs
setup:
    @sh -c '. scripts/prepare.sh; prepare dev'

# Starts Rayhound and shows it a cat
demo *arguments:
    @./demo "$@"

# Runs every test
test *arguments:
    @./test "$@"

# Runs the tests that take seconds: lint, types, the house rules, units
test-fast *arguments:
    @./test tests/unit "$@"

# Runs the tests that every adapter of a seam must pass: folders and buckets, queues and brokers
test-contract *arguments:
    @./test tests/contract "$@"

# Runs the tests of real processes, real HTTP and real containers
test-journeys *arguments:
    @./test tests/journey "$@"

# Runs the tests of the charts, which need Helm
test-charts *arguments:
    @./test tests/charts "$@"

# Runs the tests of the Terraform, which need terraform
test-terraform *arguments: setup
    @uv venv --quiet --allow-existing .venv/terraform
    @sh -c '. scripts/prepare.sh; again uv pip install --quiet --python .venv/terraform --require-hashes -r requirements/terraform.txt'
    @./test tests/terraform "$@"

# Runs the tests on a real Kubernetes, such as your Minikube or kind: in namespaces that they make and delete
cluster-test *arguments:
    @./test tests/cluster "$@"

# Makes the container image rayhound
image *arguments:
    docker build --tag rayhound "$@" .

# Looks at form, types and layers without running anything
check: setup
    ruff check
    ruff format --check
    mypy
    lint-imports

# Brings the form of the code in order
format: setup
    ruff check --fix
    ruff format

# Writes the generated pages of docs/reference anew
docs: setup
    python -m scripts.reference

# Writes the lock files anew
lock: setup
    scripts/lock

# Measures one process against the bare loop of decode and classify
bench *arguments: setup
    python -m benchmarks.pipeline "$@"

# Measures web server, RabbitMQ and consumers against one process and the bare loop
bench-parts *arguments: setup
    python -m benchmarks.parts "$@"

# Measures Rayhound beside Celery, FastAPI and RabbitMQ that do the same durable work
bench-peers *arguments: setup
    uv venv --quiet --allow-existing .venv/benchmarks
    uv pip install --quiet --python .venv/benchmarks --require-hashes -r requirements/benchmarks.txt
    python -m benchmarks.peers "$@"

# Measures model files against the first of them: milliseconds an image on one core
bench-models *arguments: setup
    python -m benchmarks.models "$@"

# Trains a model from a folder of labelled images (training/README.md)
train *arguments: setup
    uv venv --quiet --allow-existing .venv/training
    uv pip install --quiet --python .venv/training --require-hashes -r requirements/training.txt
    MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=17179869184 MALLOC_TOP_PAD_=268435456 \
        PYTHONPATH=src .venv/training/bin/python -m training "$@"
