{{/* Checks of machine.pod, redis.pod and gateway.pod: what the chart sets itself, and lists in which an element may occur only once.
Kubernetes would refuse a second volume or mount, but only after Helm has created other objects. */}}
{{- define "checks.pods" -}}
{{- $variables := dict
  "machine" (list "MACHINE_ID" "POD_INDEX" "POD_NAME" "REDIS_ADDRS" "REDIS_USERNAME" "REDIS_PASSWORD" "REDIS_TLS" "REDIS_DURABLE" "REDIS_DISK" "SSL_CERT_FILE" "SYSTEM_NAME"
    "ORDER_SERVICE_URL" "STOCK_SERVICE_URL" "PAYMENT_SERVICE_URL" "BATCH_INIT" "BATCH_LIMIT" "IDEMPOTENCY_KEY_LIMIT" "CONSOLE" "LISTS" "WDM_DEBUG"
    "INTERNAL_TOKEN" "NAMESPACE" "ALLOWED_HOSTS" "CORS_ORIGINS" "CLIENT_TRACES" "LOG_FORMAT" "OTEL_EXPORTER_OTLP_ENDPOINT" "GIN_MODE" "GOMEMLIMIT"
    "PORT" "INTERNAL_PORT" "METRICS_PORT" "BIND")
  "redis" (list "REDISCLI_AUTH" "REDIS_MIN_FREE_KIB")
  "gateway" (list "ACCESS_LOG" "CORS_ORIGINS" "CLIENT_TRACES") -}}
{{- $paths := dict "machine" (list "/etc/redis-ca") "redis" (list "/data" "/scripts")
  "gateway" (list "/etc/nginx/listen.conf" "/etc/nginx/upstreams.conf" "/tmp") -}}
{{- range $component := list "machine" "redis" "gateway" -}}
{{- $pod := (index $.Values $component).pod | default dict -}}
{{- $names := dict "env" list "volumes" list "volumeMounts" list -}}
{{- range $pod.env -}}
{{- if has .name (get $variables $component) -}}
{{- fail (printf "%s.pod.env cannot contain %s, because the chart sets it from another value" $component .name) -}}
{{- end -}}
{{- $_ := set $names "env" (append $names.env .name) -}}
{{- end -}}
{{- range $pod.volumes -}}
{{- if has .name (list "config" "data" "redis-ca" "scripts" "tmp") -}}
{{- fail (printf "%s.pod.volumes cannot contain %s, because the chart has a volume with this name" $component .name) -}}
{{- end -}}
{{- $_ := set $names "volumes" (append $names.volumes .name) -}}
{{- end -}}
{{- range $pod.volumeMounts -}}
{{- if not (has .name $names.volumes) -}}
{{- fail (printf "%s.pod.volumeMounts names the volume %s, which %s.pod.volumes does not contain" $component .name $component) -}}
{{- end -}}
{{- $path := clean .mountPath -}}
{{- range $own := get $paths $component -}}
{{- if or (eq $path $own) (hasPrefix (print $own "/") $path) (hasPrefix (print (trimSuffix "/" $path) "/") $own) -}}
{{- fail (printf "%s.pod.volumeMounts cannot contain %s, because the chart mounts %s: choose another mountPath" $component $path $own) -}}
{{- end -}}
{{- end -}}
{{- $_ := set $names "volumeMounts" (append $names.volumeMounts $path) -}}
{{- end -}}
{{- range $list, $all := $names -}}
{{- range $i, $name := $all -}}
{{- if has $name (slice $all 0 $i) -}}
{{- fail (printf "%s.pod.%s contains %s twice" $component $list $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}
