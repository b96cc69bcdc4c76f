{{- /* How many analysers a consumer has: ROOT. One for each core that it asks for; a limit does not show a process how many. */ -}}
{{- define "consumer.analysers" -}}
{{- $cpu := ((.Values.resources).requests).cpu -}}
{{- if not $cpu -}}
{{- fail "resources.requests.cpu is not set, so nobody knows how many analysers a consumer should have\nhint: set it to the cores that a consumer is to use, such as 500m or 2" -}}
{{- end -}}
{{- if kindIs "string" $cpu -}}
{{- if not (regexMatch "^[0-9]+(\\.[0-9]+)?m?$" $cpu) -}}
{{- fail (printf "resources.requests.cpu is %q, which is no number of cores\nhint: write it like 500m, 2 or 1.5" $cpu) -}}
{{- end -}}
{{- end -}}
{{- $cores := toString $cpu | trimSuffix "m" | float64 -}}
{{- if hasSuffix "m" (toString $cpu) -}}
{{- $cores = divf $cores 1000 -}}
{{- end -}}
{{- max 1 (ceil $cores | int) -}}
{{- end -}}

{{- /* The least memory of a consumer in bytes: ROOT. The program itself and its model, and for each analyser one analysis. */ -}}
{{- define "consumer.leastMemory" -}}
{{- if lt (include "rayhound.bytes" .Values.analysisMemory | int64) 67108864 -}}
{{- fail (printf "analysisMemory is %v, in which hardly an image can be read\nhint: leave it at 1Gi; 64Mi is the least" .Values.analysisMemory) -}}
{{- end -}}
{{- add 536870912 (mul (include "consumer.analysers" . | int64) (include "rayhound.bytes" .Values.analysisMemory | int64)) -}}
{{- end -}}

{{- /* Resources of the container: ROOT. Memory is the same as request and as limit. */ -}}
{{- define "consumer.resources" -}}
{{- $resources := deepCopy .Values.resources -}}
{{- $requests := $resources.requests -}}
{{- $limits := $resources.limits | default dict -}}
{{- $least := include "consumer.leastMemory" . | int64 -}}
{{- $memory := printf "%dMi" (div (add $least 1048575) 1048576) -}}
{{- range $given := compact (list $requests.memory $limits.memory) -}}
{{- if lt (include "rayhound.bytes" $given | int64) $least -}}
{{- fail (printf "%v of memory is too little for a consumer: with %s × analysisMemory (%v), one for each core, it needs %s\nhint: give more, leave resources.requests.memory and resources.limits.memory out, or ask for fewer cores with resources.requests.cpu" $given (include "consumer.analysers" $) $.Values.analysisMemory $memory) -}}
{{- end -}}
{{- $memory = $given -}}
{{- end -}}
{{- if and $requests.memory $limits.memory (ne (toString $requests.memory) (toString $limits.memory)) -}}
{{- fail "resources.requests.memory and resources.limits.memory differ, so a full node would end a consumer in the middle of an analysis\nhint: give one of them; the other becomes the same" -}}
{{- end -}}
{{- $_ := set $resources "requests" (set $requests "memory" $memory) -}}
{{- $_ := set $resources "limits" (set $limits "memory" $memory) -}}
{{- toYaml $resources -}}
{{- end -}}
