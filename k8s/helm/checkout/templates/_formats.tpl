{{/* Checks of values that Kubernetes or nginx would refuse, but only after Helm has changed some objects. */}}

{{/* Print "true" for a network. */}}
{{- define "is.network" -}}
{{- $octet := "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])" -}}
{{- $ipv4 := printf "^(%s[.]){3}%s/(3[0-2]|[12]?[0-9])$" $octet $octet -}}
{{- $groups := "([0-9a-fA-F]{1,4}(:[0-9a-fA-F]{1,4})*)?" -}}
{{- $ipv6 := printf "^%s(::%s)?/(12[0-8]|1[01][0-9]|[1-9]?[0-9])$" $groups $groups -}}
{{- $count := regexFindAll "[0-9a-fA-F]+" (splitList "/" . | first) -1 | len -}}
{{- $complete := ternary (lt $count 7) (eq $count 8) (contains "::" .) -}}
{{- if or (regexMatch $ipv4 .) (and (regexMatch $ipv6 .) $complete) }}true{{ end -}}
{{- end }}

{{/* Fail unless .network is a network. .where: the name of the value */}}
{{- define "checks.network" -}}
{{- if not (include "is.network" .network) -}}
{{- fail (printf "%s %q is not a network: write an address and a prefix length, such as 10.0.0.0/8" .where .network) -}}
{{- end -}}
{{- end }}

{{/* Print "true" if the second network of a list is a part of the first one, and smaller. */}}
{{- define "contains.network" -}}
{{- $first := splitList "/" (first .) -}}
{{- $second := splitList "/" (last .) -}}
{{- $length := last $first | int -}}
{{- if and (eq (contains ":" (first $first)) (contains ":" (first $second))) (lt $length (last $second | int))
  (eq (include "bits" (first $first) | trunc $length) (include "bits" (first $second) | trunc $length)) }}true{{ end -}}
{{- end }}

{{/* The bits of an IP address, such as 00001010… for 10.0.0.0. */}}
{{- define "bits" -}}
{{- if contains ":" . -}}
{{- $parts := splitList "::" . -}}
{{- $head := compact (splitList ":" (first $parts)) -}}
{{- $tail := compact (splitList ":" (rest $parts | join "")) -}}
{{- range concat $head (repeat (len (concat $head $tail) | sub 8 | int) "0:" | splitList ":" | compact) $tail }}{{ printf "%016b" (int64 (print "0x" .)) }}{{ end -}}
{{- else -}}
{{- range splitList "." . }}{{ printf "%08b" (atoi .) }}{{ end -}}
{{- end -}}
{{- end }}

{{/* Fail if .address ends with a port above 65535. .where: the name of the value */}}
{{- define "checks.port" -}}
{{- if gt (regexFind ":[0-9]+/?$" .address | trimPrefix ":" | trimSuffix "/" | atoi) 65535 -}}
{{- fail (printf "%s %q has an invalid port: the largest port is 65535" .where .address) -}}
{{- end -}}
{{- end }}

{{/* Fail unless Kubernetes accepts the schedule. The schema has checked that it is a name with @, or has five fields. */}}
{{- define "checks.schedule" -}}
{{- $schedule := . -}}
{{- $numbers := list "0?[0-9]|[1-5][0-9]" "[01]?[0-9]|2[0-3]" "0?[1-9]|[12][0-9]|3[01]" "0?[1-9]|1[0-2]" "0?[0-6]" -}}
{{- $names := dict
  "3" (list "" "jan" "feb" "mar" "apr" "may" "jun" "jul" "aug" "sep" "oct" "nov" "dec")
  "4" (list "sun" "mon" "tue" "wed" "thu" "fri" "sat") -}}
{{- if not (has . (list "@yearly" "@annually" "@monthly" "@weekly" "@daily" "@midnight" "@hourly")) -}}
{{- range $i, $field := splitList " " (lower .) -}}
{{- $known := get $names (toString $i) | default list -}}
{{- $number := prepend (compact $known) (index $numbers $i) | join "|" -}}
{{- $element := printf "([*?]|(%s)(-(%s))?)(/0*[1-9][0-9]{0,3})?" $number $number -}}
{{- $valid := regexMatch (printf "^%s(,%s)*$" $element $element) $field -}}
{{- range $index, $name := $known }}{{ if $name }}{{ $field = replace $name (toString $index) $field }}{{ end }}{{ end -}}
{{- range regexFindAll "[0-9]+-[0-9]+" $field -1 -}}
{{- $ends := splitList "-" . -}}
{{- if gt (first $ends | atoi) (last $ends | atoi) }}{{ $valid = false }}{{ end -}}
{{- end -}}
{{- if not $valid -}}
{{- fail (printf "backup.schedule %q is not a schedule: write @daily or another name that Kubernetes knows, or minute (0-59), hour (0-23), day (1-31), month (1-12) and weekday (0-6, 0 is Sunday)" $schedule) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}
