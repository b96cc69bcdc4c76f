{{- /* What the charts of Rayhound share. It lies alike in each of them, so that each can be installed by itself. */ -}}

{{- /* Labels of an object: list NAME ROOT. The name is the same whatever chart or release is called. */ -}}
{{- define "rayhound.labels" -}}
{{- $root := index . 1 -}}
{{ include "rayhound.selector" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: rayhound
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" }}
{{- end -}}

{{- /* What a workload and its Service select by, which can never change: list NAME ROOT. */ -}}
{{- define "rayhound.selector" -}}
app.kubernetes.io/name: {{ index . 0 }}
app.kubernetes.io/instance: {{ (index . 1).Release.Name | quote }}
{{- end -}}

{{- /* Labels of a pod: list NAME ROOT. No version of chart or program, so that a new one does not replace pods by itself. */ -}}
{{- define "rayhound.podLabels" -}}
{{- $root := index . 1 -}}
{{ include "rayhound.selector" . }}
app.kubernetes.io/part-of: rayhound
{{- with $root.Values.podLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- /* The image of a container: ROOT. A digest says more than a tag. */ -}}
{{- define "rayhound.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- /* The service account: list NAME ROOT. */ -}}
{{- define "rayhound.serviceAccountName" -}}
{{- $account := (index . 1).Values.serviceAccount -}}
{{- if $account.create -}}
{{ $account.name | default (index . 0) }}
{{- else -}}
{{ $account.name | default "default" }}
{{- end -}}
{{- end -}}

{{- /* A container that may do nothing but its work, as the PodSecurity level `restricted` demands. */ -}}
{{- define "rayhound.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{- /* The user of a pod's containers, who also owns its volumes where their kind allows it: a number. */ -}}
{{- define "rayhound.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ . }}
runAsGroup: {{ . }}
fsGroup: {{ . }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- /* Where a pod may run, affinity apart: ROOT. */ -}}
{{- define "rayhound.scheduling" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- /* Bytes of a Kubernetes quantity: 512Mi, 1.5Gi, 1G or a number. */ -}}
{{- define "rayhound.bytes" -}}
{{- if kindIs "string" . -}}
{{- if not (regexMatch "^[0-9]+(\\.[0-9]+)?([kMGT]|[KMGT]i)?$" .) -}}
{{- fail (printf "%q is no amount of memory\nhint: write it like 512Mi, 1.5Gi or 1G" .) -}}
{{- end -}}
{{- $units := dict "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 -}}
{{- $unit := get $units (regexFind "[A-Za-z]+$" .) | default 1 -}}
{{- mulf (regexFind "^[0-9.]+" . | float64) $unit | int64 -}}
{{- else -}}
{{- int64 . -}}
{{- end -}}
{{- end -}}
