{{/* What nginx.conf includes: the machines, each by an address that outlives its pod, since nginx looks names up once; and where to
listen. Of connections to the machines (keepalive) a worker keeps no more than half of those that it may have: the room for them takes
memory before it is used. */}}
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
limit_conn calls {{ mul 2048 $most }}; # what each machine bears; {{ .Values.gateway.replicas }} gateways
{{- end }}

{{- define "listen.conf" -}}
listen 8000 backlog=4096;
include /tmp/access_log*.conf; # by ACCESS_LOG
# While this gateway leaves, callers are told to close their connections: one that nginx closes may meet a request on its way in.
set $leaving "";
if (-f /tmp/leaving) { set $leaving close; }
add_header Connection $leaving always;
location = /gateway/healthz { # whether the gateway itself is well
    access_log off;
    default_type application/json;
    return 200 '{"status":"alive"}\n';
}
{{- end }}
