{{- /* What web server and consumer share: archive, queue, and where they may run. It lies alike in both charts. */ -}}

{{- /* The claim that holds the archive: ROOT; nothing where a bucket does. */ -}}
{{- define "rayhound.claim" -}}
{{- if not .Values.archive.url -}}
{{- .Values.storage.existingClaim | default "web-server-pvc" -}}
{{- end -}}
{{- end -}}

{{- /* The environment of a part: ROOT. */ -}}
{{- define "rayhound.environment" -}}
{{- $queue := .Values.rabbitmq -}}
- name: RAYHOUND_ARCHIVE
  value: {{ .Values.archive.url | default "file:///data/images" | quote }}
{{- with .Values.archive.endpoint }}
- name: AWS_ENDPOINT_URL
  value: {{ . | quote }}
{{- end }}
{{- with .Values.archive.region }}
- name: AWS_REGION
  value: {{ . | quote }}
{{- end }}
- name: RAYHOUND_QUEUE
  value: {{ printf "%s://%s:%d/%s" (ternary "amqps" "amqp" $queue.tls) $queue.host (include "rayhound.queuePort" . | int) (include "rayhound.vhost" .) | quote }}
- name: RAYHOUND_QUEUE_USER
  valueFrom:
    secretKeyRef:
      name: {{ $queue.existingSecret | quote }}
      key: username
- name: RAYHOUND_QUEUE_PASSWORD
  valueFrom:
    secretKeyRef:
      name: {{ $queue.existingSecret | quote }}
      key: password
- name: RAYHOUND_QUEUE_SECRET
  value: {{ $queue.existingSecret | quote }}
- name: RAYHOUND_LOG_FORMAT
  value: {{ .Values.logFormat }}
{{- end -}}

{{- define "rayhound.queuePort" -}}
{{ .Values.rabbitmq.port | default (ternary 5671 5672 .Values.rabbitmq.tls) }}
{{- end -}}

{{- /* The virtual host as a part of an address; nothing for the broker's default one, `/`. */ -}}
{{- define "rayhound.vhost" -}}
{{- if ne .Values.rabbitmq.vhost "/" -}}
{{ .Values.rabbitmq.vhost | urlquery | replace "+" "%20" }}
{{- end -}}
{{- end -}}

{{- /* Where further variables come from: ROOT. The keys of a bucket's Secret are AWS_ACCESS_KEY_ID, AWS_REGION and so on. */ -}}
{{- define "rayhound.environmentFrom" -}}
{{- $from := .Values.extraEnvFrom -}}
{{- with .Values.archive.existingSecret -}}
{{- $from = concat (list (dict "secretRef" (dict "name" .))) $from -}}
{{- end -}}
{{- with $from -}}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end -}}
{{- end -}}

{{- /* Whether the claim can be mounted on one node alone: ROOT; nothing if not. */ -}}
{{- define "rayhound.oneNode" -}}
{{- if and (include "rayhound.claim" .) (not (has "ReadWriteMany" .Values.storage.accessModes)) -}}
yes
{{- end -}}
{{- end -}}

{{- /* Affinity of a pod: ROOT. A claim that one node alone may mount keeps all its pods on the node of whichever lives. */ -}}
{{- define "rayhound.affinity" -}}
{{- $affinity := deepCopy .Values.affinity -}}
{{- if include "rayhound.oneNode" . -}}
{{- $label := dict "rayhound.io/claim" (include "rayhound.claim" .) -}}
{{- $term := dict "topologyKey" "kubernetes.io/hostname" "labelSelector" (dict "matchLabels" $label) -}}
{{- $beside := $affinity.podAffinity | default dict -}}
{{- $required := concat (list $term) ($beside.requiredDuringSchedulingIgnoredDuringExecution | default list) -}}
{{- $_ := set $affinity "podAffinity" (set $beside "requiredDuringSchedulingIgnoredDuringExecution" $required) -}}
{{- end -}}
{{- with $affinity -}}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end -}}
{{- end -}}

{{- /* Volumes of a pod: ROOT. `/tmp` has no size limit: a pod that passed it would be evicted with what it has in hand. */ -}}
{{- define "rayhound.volumes" -}}
{{- with include "rayhound.claim" . -}}
- name: images
  persistentVolumeClaim:
    claimName: {{ . | quote }}
{{ end -}}
- name: tmp
  emptyDir: {}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- /* Where the volumes are mounted: ROOT. */ -}}
{{- define "rayhound.volumeMounts" -}}
{{- if include "rayhound.claim" . -}}
- name: images
  mountPath: /data/images
{{ end -}}
- name: tmp
  mountPath: /tmp
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- /* The port of the archive's store: ROOT. */ -}}
{{- define "rayhound.archivePort" -}}
{{- $endpoint := urlParse .Values.archive.endpoint -}}
{{- regexFind ":[0-9]+$" $endpoint.host | trimPrefix ":" | default (ternary "80" "443" (eq $endpoint.scheme "http")) -}}
{{- end -}}

{{- /* What may go out, as rules of a NetworkPolicy: ROOT. */ -}}
{{- define "rayhound.egress" -}}
{{- /* To any address: a cluster's DNS may be on the node, and a store has too many. One rule, for there are networks that
       mix up two with the same addresses. */ -}}
- ports:
    - port: 53
      protocol: UDP
    {{- range list "53" "443" (include "rayhound.archivePort" .) | uniq }}
    - port: {{ . }}
    {{- end }}
{{- /* The agent of EKS Pod Identity, which hands out the keys of the bucket. */}}
- to:
    - ipBlock:
        cidr: 169.254.170.23/32
  ports:
    - port: 80
- to:
    {{- with .Values.networkPolicy.brokers }}
    {{- toYaml . | nindent 4 }}
    {{- else }}
    - podSelector:
        matchLabels:
          app.kubernetes.io/name: rabbitmq
    {{- end }}
  ports:
    - port: {{ include "rayhound.queuePort" . }}
{{- end -}}

{{- /* Refuses what would lose images or hang: ROOT. */ -}}
{{- define "rayhound.require" -}}
{{- if has "ReadWriteOncePod" .Values.storage.accessModes -}}
{{- fail "storage.accessModes has ReadWriteOncePod, but web server and consumer share this claim\nhint: take ReadWriteOnce, with which all their pods run on one node, or ReadWriteMany" -}}
{{- end -}}
{{- if and .Values.pdb.enabled (include "rayhound.oneNode" .) -}}
{{- fail "pdb.enabled is set, but the claim keeps all pods on one node, which could then never be emptied: an evicted pod has nowhere to go\nhint: leave pdb.enabled out, or take ReadWriteMany or a bucket" -}}
{{- end -}}
{{- if and .Values.archive.endpoint (not .Values.archive.url) -}}
{{- fail "archive.endpoint is set, but archive.url is not, so nothing would be kept there\nhint: set archive.url to s3://BUCKET or s3://BUCKET/PREFIX" -}}
{{- end -}}
{{- with .Values.networkPolicy -}}
{{- if and .enabled .egress (not .brokers) (ne $.Values.rabbitmq.host "rabbitmq") -}}
{{- fail (printf "networkPolicy.egress is set, but networkPolicy.brokers does not say where rabbitmq.host %q is, so no image would be queued\nhint: name its pods or addresses in networkPolicy.brokers, such as [{ipBlock: {cidr: 10.0.0.0/16}}]" $.Values.rabbitmq.host) -}}
{{- end -}}
{{- end -}}
{{- end -}}
