{{- /* Where an Ingress answers: the values of `ingress`. */ -}}
{{- define "web-server.outside" -}}
{{- $certified := or .tls (get .annotations "alb.ingress.kubernetes.io/certificate-arn") -}}
{{ empty $certified | ternary "http" "https" }}://{{ first .hosts }}
{{- end -}}
