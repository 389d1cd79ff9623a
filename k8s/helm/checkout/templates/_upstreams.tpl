{{/* The files that nginx.conf includes. nginx resolves names only at its start, so each instance has a Service with a stable address.
keepalive is at most half of worker_connections, because nginx allocates the pool in advance. */}}
{{- define "upstreams.conf" -}}
{{- $most := 0 }}
{{- range $service := list "order" "stock" "payment" -}}
{{- $machines := include "machines" (merge (dict "service" $service) $) | int -}}
upstream {{ $service }} {
    zone {{ $service }} 256k;
    {{- range $i := untilStep 1 (int (add1 $machines)) 1 }}
    server {{ $service }}-{{ $i }}:5000 max_fails=1 fail_timeout=1s;
    {{- end }}
    keepalive {{ min 16384 (mul 2048 $machines) }}; keepalive_requests 1000000; keepalive_timeout 2s;
}
{{ $most = max $most $machines }}
{{- end -}}
{{- $overviews := list }}
{{- range $service := list "order" "stock" "payment" }}
{{- $machines := include "machines" (merge (dict "service" $service) $) | int }}
{{- range $i := untilStep 1 (int (add1 $machines)) 1 }}
upstream {{ $service }}_{{ $i }} { server {{ $service }}-{{ $i }}:5000; }
{{- $overviews = append $overviews (printf "/%s/overview/%d %s_%d;" (eq $service "order" | ternary "orders" $service) $i $service $i) }}
{{- end }}
{{- end }}
map $uri $instance { # the upstream of the instance whose overview is requested
{{- range $overviews }}
    {{ . }}
{{- end }}
}
limit_conn calls {{ mul 2048 $most }}; # in flight per service, in each gateway: 2048 x the largest number of instances
{{- end }}

{{- define "listen.conf" -}}
listen 8000 backlog=4096;
include /tmp/settings*.conf; # settings from the environment: see compose/gateway
{{- with .Values.entrance.trustedProxies }}
# The client is the last address in X-Forwarded-For that is not one of these load balancers.
{{- range . }}
set_real_ip_from {{ . }};
{{- end }}
real_ip_header X-Forwarded-For;
real_ip_recursive on;
{{- end }}
# While this gateway shuts down, ask clients to close their connections. If nginx closed a connection, it could cut off a request.
set $leaving "";
if (-f /tmp/leaving) { set $leaving close; }
add_header Connection $leaving always;
location = /gateway/healthz { # health of the gateway itself
    access_log off;
    default_type application/json;
    return 200 '{"status":"alive"}\n';
}
{{- end }}
