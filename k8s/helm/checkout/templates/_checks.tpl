{{/* Refuse wrong patterns, contradictions, and values that the chosen mode would ignore. A schema cannot give such readable errors. */}}
{{- define "checks.values" -}}
{{- $redis := .Values.redis -}}
{{- $gateway := .Values.gateway -}}
{{- $entrance := .Values.entrance -}}
{{- include "checks.entrance" . -}}
{{- include "checks.external" . -}}

{{- /* Redis */ -}}
{{- $size := include "mebibytes" $redis.storage.size | int64 -}}
{{- $copies := int (include "replicas" .) -}}
{{- $times := ternary 3 5 (eq $copies 1) -}}
{{- $need := add (mul $times (int64 $redis.maxmemoryMi)) (int64 ($redis.minFreeMi | default 4)) -}}
{{- if and (not $redis.external) (lt $size $need) -}}
{{- fail (printf "redis.storage.size %s is too small for redis.maxmemoryMi %d: the %s up to %s times as much, so set at least %dMi" $redis.storage.size (int64 $redis.maxmemoryMi) (ternary "append-only file needs" "append-only file and a copy of the primary's data need" (eq $copies 1)) (ternary "three" "five" (eq $copies 1)) $need) -}}
{{- end -}}
{{- if and (ne (int ($redis.replicas | default 1)) 1) $redis.external -}}
{{- fail "redis.replicas has no effect with redis.external: list the three nodes of a shard as host:port+host:port+host:port" -}}
{{- end -}}
{{- if and ($redis.keeper).tokenSecret (eq $copies 1) -}}
{{- fail "redis.keeper.tokenSecret has no effect without redis.replicas 3: a single shard has no keeper" -}}
{{- end -}}
{{- $base := regexReplaceAll "[@:].*" (base ($redis.image | default "")) "" -}}
{{- if and (has $base (list "redis" "valkey")) (ne $base $redis.flavour) -}}
{{- fail (printf "redis.image %s does not fit redis.flavour %s: set redis.flavour to %s" $redis.image $redis.flavour $base) -}}
{{- end -}}

{{- if and (contains ":" .Values.image.prefix) .Values.image.registry -}}
{{- fail (printf "image.prefix %s contains a registry, and image.registry is set: use one of them" .Values.image.prefix) -}}
{{- end -}}

{{- /* Gateway */ -}}
{{- $most := int ($gateway.autoscale).maxReplicas -}}
{{- if and $most (lt $most (int $gateway.replicas)) -}}
{{- fail (printf "gateway.autoscale.maxReplicas %d is smaller than gateway.replicas %d, which is the smallest number of gateways" $most (int $gateway.replicas)) -}}
{{- end -}}
{{- $least := add 32 (mul 16 (int $gateway.workers)) -}}
{{- if lt (int $gateway.memoryMi) (int $least) -}}
{{- fail (printf "gateway.memoryMi %d is too small for %d workers: set at least %d" (int $gateway.memoryMi) (int $gateway.workers) $least) -}}
{{- end -}}

{{- /* Monitoring and access */ -}}
{{- $policy := .Values.networkPolicy -}}
{{- if and $policy.metricsFrom (not $policy.enabled) -}}
{{- fail "networkPolicy.metricsFrom has no effect while networkPolicy.enabled is false: remove it, or enable the policies" -}}
{{- end -}}
{{- range $policy.metricsFrom -}}
{{- with .ipBlock -}}
{{- range prepend (.except | default list) .cidr -}}
{{- include "checks.network" (dict "where" "networkPolicy.metricsFrom" "network" .) -}}
{{- end -}}
{{- $cidr := .cidr -}}
{{- range .except -}}
{{- if not (include "contains.network" (list $cidr .)) -}}
{{- fail (printf "networkPolicy.metricsFrom: the exception %s is not a part of %s: list only smaller networks inside it" . $cidr) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range (.Values.access).corsOrigins -}}
{{- include "checks.port" (dict "where" "access.corsOrigins" "address" .) -}}
{{- end -}}
{{- with .Values.observability.traces }}{{ include "checks.port" (dict "where" "observability.traces" "address" .) }}{{ end -}}
{{- with (.Values.backup).schedule }}{{ include "checks.schedule" . }}{{ end -}}
{{- if and .Values.observability.prometheusOperator $policy.enabled (not $policy.metricsFrom) -}}
{{- fail "observability.prometheusOperator needs networkPolicy.metricsFrom: without it, the network policies keep Prometheus from the monitoring ports" -}}
{{- end -}}
{{- if and .Values.observability.labels (not .Values.observability.prometheusOperator) -}}
{{- fail "observability.labels has no effect while observability.prometheusOperator is false" -}}
{{- end -}}
{{- $account := .Values.serviceAccount | default dict -}}
{{- if and $account.annotations (not $account.create) -}}
{{- fail "serviceAccount.annotations has no effect while serviceAccount.create is false: set it to true, or annotate the existing account yourself" -}}
{{- end -}}
{{- if has $account.name (list "backup" "keeper-token" "redis-password") -}}
{{- fail (printf "serviceAccount.name cannot be %s: the chart has an account with this name, which has more permissions" $account.name) -}}
{{- end -}}

{{- range $where, $labels := dict
  "machine.pod.labels" (.Values.machine.pod).labels "redis.pod.labels" ($redis.pod).labels "gateway.pod.labels" ($gateway.pod).labels
  "machine.service.labels" (.Values.machine.service).labels "redis.service.labels" ($redis.service).labels
  "gateway.service.labels" ($gateway.service).labels "observability.labels" .Values.observability.labels
  "observability.dashboard.labels" (.Values.observability.dashboard).labels -}}
{{- range $label, $_ := $labels -}}
{{- if regexMatch "^apps?[.]kubernetes[.]io/" $label -}}
{{- fail (printf "%s cannot contain %s: the labels of app.kubernetes.io and apps.kubernetes.io select the pods" $where $label) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- include "checks.pods" . -}}
{{- end }}

{{/* Convert a size such as 10Gi to MiB. */}}
{{- define "mebibytes" -}}
{{- if not (regexMatch "^[1-9][0-9]{0,6}(Mi|Gi|Ti)$" .) -}}
{{- fail (printf "redis.storage.size %q is not a size: write a whole number with the unit Mi, Gi or Ti, such as 10Gi" .) -}}
{{- end -}}
{{- mul (regexFind "^[0-9]+" . | int64) (index (dict "Mi" 1 "Gi" 1024 "Ti" 1048576) (regexFind "..$" .)) -}}
{{- end }}

{{- define "checks.entrance" -}}
{{- $entrance := .Values.entrance -}}
{{- $kind := $entrance.kind -}}
{{- $host := $entrance.host | default "" -}}
{{- $label := "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?" -}}
{{- if or (not (regexMatch (printf "^$|^([*][.])?%s([.]%s)*$" $label $label) $host)) (gt (len $host) 253) -}}
{{- fail (printf "entrance.host %q is not a host name: write it in lower case, without scheme, port and path, such as shop.example" $host) -}}
{{- end -}}
{{- if regexMatch "^[0-9.]+$" $host -}}
{{- fail (printf "entrance.host %q is an IP address: leave it out, because without a name clients can use any IP address" $host) -}}
{{- end -}}
{{- range $entrance.trustedProxies -}}
{{- include "checks.network" (dict "where" "entrance.trustedProxies" "network" .) -}}
{{- end -}}

{{- /* For each value: the kinds that use the value, and the advice for all other kinds. */ -}}
{{- $uses := dict
  "class" (list "ingress gateway" "choose a class with the annotations of the Service in entrance.annotations")
  "host" (list "ingress gateway" "list the name in access.hosts, and point DNS to the address of the Service")
  "tlsSecret" (list "ingress gateway" "the gateway itself does not serve TLS")
  "tlsRedirect" (list "gateway" "with an Ingress, set the annotation of its controller in entrance.annotations")
  "parent" (list "gateway" "remove it, or set entrance.kind to gateway")
  "parentNamespace" (list "gateway" "remove it, or set entrance.kind to gateway")
  "parentSection" (list "gateway" "remove it, or set entrance.kind to gateway")
  "gkeHealthCheck" (list "gateway" "with an Ingress, use a BackendConfig and gateway.service.annotations")
  "annotations" (list "loadBalancer ingress gateway" "annotate the Service with gateway.service.annotations") -}}
{{- range $name, $use := $uses -}}
{{- if and (index $entrance $name) (not (has $kind (splitList " " (first $use)))) -}}
{{- fail (printf "entrance.%s has no effect with entrance.kind %s, only with %s: %s" $name $kind (first $use | replace " " " or ") (last $use)) -}}
{{- end -}}
{{- end -}}

{{- if and (eq $kind "gateway") (not $entrance.parent) (not $entrance.class) -}}
{{- fail "entrance.kind gateway requires entrance.class (the GatewayClass of a new Gateway) or entrance.parent (an existing Gateway)" -}}
{{- end -}}
{{- if $entrance.parent -}}
{{- range list "class" "tlsSecret" "tlsRedirect" -}}
{{- if index $entrance . -}}
{{- fail (printf "entrance.%s has no effect with entrance.parent: the existing Gateway %s has its own settings" . $entrance.parent) -}}
{{- end -}}
{{- end -}}
{{- else if or $entrance.parentNamespace $entrance.parentSection -}}
{{- fail "entrance.parentNamespace and entrance.parentSection belong to an existing Gateway: set entrance.parent to its name" -}}
{{- end -}}
{{- if and $entrance.tlsRedirect (not $entrance.tlsSecret) -}}
{{- fail "entrance.tlsRedirect requires entrance.tlsSecret: without a certificate nothing serves HTTPS" -}}
{{- end -}}
{{- range $name, $value := $entrance.annotations -}}
{{- if and (hasPrefix "cert-manager.io/" $name) (not $entrance.parent) (not (and $entrance.tlsSecret $entrance.host)) -}}
{{- fail (printf "the annotation %s has no effect without entrance.host and entrance.tlsSecret: cert-manager writes the certificate for this host to this Secret" $name) -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* Check the addresses of the Redis servers that the chart does not create. */}}
{{- define "checks.external" -}}
{{- $external := .Values.redis.external -}}
{{- $used := list -}}
{{- range $service := list "order" "stock" "payment" -}}
{{- $addresses := index ($external | default dict) . -}}
{{- if and $external (not $addresses) -}}
{{- fail (printf "redis.external.%s is missing: list the addresses of all three services, one per shard, such as [redis.example:6379]" .) -}}
{{- end -}}
{{- range $addresses -}}
{{- $nodes := splitList "+" . -}}
{{- if not (has (len $nodes) (list 1 3)) -}}
{{- fail (printf "redis.external: %q has %d nodes: a shard has one node or three" . (len $nodes)) -}}
{{- end -}}
{{- if and (eq ($external.durable | toString) "engine") (gt (len $nodes) 1) -}}
{{- fail (printf "redis.external.durable engine and the nodes %q contradict each other: list one address of each engine" .) -}}
{{- end -}}
{{- range $nodes -}}
{{- $label := "[A-Za-z0-9_]([-A-Za-z0-9_]{0,61}[A-Za-z0-9_])?" -}}
{{- $ipv6 := and (regexMatch "^\\[[0-9a-fA-F:]+\\]:[1-9][0-9]{0,4}$" .) (include "is.network" (printf "%s/128" (regexFind "[0-9a-fA-F:]+" .))) -}}
{{- if not (or $ipv6 (regexMatch (printf "^%s([.]%s)*[.]?:[1-9][0-9]{0,4}$" $label $label) .)) -}}
{{- fail (printf "redis.external: %q is not host:port: write it without scheme, user and path, and set redis.external.tls for TLS" .) -}}
{{- end -}}
{{- include "checks.port" (dict "where" (printf "redis.external.%s" $service) "address" .) -}}
{{- if has (lower .) $used -}}
{{- fail (printf "redis.external lists %s twice: each shard of each service needs its own Redis" .) -}}
{{- end -}}
{{- $used = append $used (lower .) -}}
{{- end -}}
{{- end -}}
{{- $shards := (index $.Values .).shards | default (ternary 0 $.Values.shards (eq (int $.Values.shards) 1)) | int -}}
{{- if and $external $shards (ne $shards (len $addresses)) -}}
{{- fail (printf "redis.external.%s lists %d shards, but shards is %d: the list decides, so leave shards at its default" . (len $addresses) $shards) -}}
{{- end -}}
{{- end -}}
{{- if and $external (.Values.backup).enabled -}}
{{- fail "backup.enabled has no effect on redis.external: back up your own servers yourself" -}}
{{- end -}}
{{- $redis := .Values.redis -}}
{{- $ignored := dict "image" $redis.image "gkeStatefulHA" $redis.gkeStatefulHA "pod" $redis.pod
  "service.labels" ($redis.service).labels "service.annotations" ($redis.service).annotations "keeper.tokenSecret" ($redis.keeper).tokenSecret
  "flavour" (eq $redis.flavour "valkey") "minFreeMi" (ne (int64 ($redis.minFreeMi | default 4)) 4) -}}
{{- range $name, $value := $ignored -}}
{{- if and $external $value -}}
{{- fail (printf "redis.%s has no effect with redis.external, because the chart runs no Redis" $name) -}}
{{- end -}}
{{- end -}}
{{- if and (ne ($.Values.redis.existingSecretKey | default "password") "password") (not $.Values.redis.existingSecret) -}}
{{- fail "redis.existingSecretKey has no effect without redis.existingSecret: set it to the name of your Secret" -}}
{{- end -}}
{{- if and (eq (($external).durable | toString) "engine") (hasKey $external "checkSettings") -}}
{{- fail "redis.external.checkSettings has no effect with redis.external.durable engine: an engine has no settings to check" -}}
{{- end -}}
{{- if and ($external).caKey (not $external.caSecret) -}}
{{- fail "redis.external.caKey has no effect without redis.external.caSecret" -}}
{{- end -}}
{{- if and ($external).caSecret (not $external.tls) -}}
{{- fail "redis.external.caSecret has no effect while redis.external.tls is false" -}}
{{- end -}}
{{- end }}
