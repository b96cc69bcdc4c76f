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

{{- /* Affinity of a pod: ROOT. A claim that one node alone may mount keeps all its pods on the node of whichever lives. */ -}}
{{- define "rayhound.affinity" -}}
{{- $affinity := deepCopy .Values.affinity -}}
{{- $claim := include "rayhound.claim" . -}}
{{- if and $claim (not (has "ReadWriteMany" .Values.storage.accessModes)) -}}
{{- $term := dict "topologyKey" "kubernetes.io/hostname" "labelSelector" (dict "matchLabels" (dict "rayhound.io/claim" $claim)) -}}
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

{{- /* Refuses what would lose images or hang: ROOT. */ -}}
{{- define "rayhound.require" -}}
{{- if has "ReadWriteOncePod" .Values.storage.accessModes -}}
{{- fail "storage.accessModes has ReadWriteOncePod, but web server and consumer share this claim\nhint: take ReadWriteOnce, with which all their pods run on one node, or ReadWriteMany" -}}
{{- end -}}
{{- if and .Values.archive.endpoint (not .Values.archive.url) -}}
{{- fail "archive.endpoint is set, but archive.url is not, so nothing would be kept there\nhint: set archive.url to s3://BUCKET or s3://BUCKET/PREFIX" -}}
{{- end -}}
{{- end -}}
