{{/* Refuse a second release in the namespace. This check must come first: the other comparisons with the cluster would find the objects of
the first release. */}}
{{- define "checks.release" -}}
{{- $gateway := lookup "v1" "Service" .Release.Namespace "gateway" | default dict -}}
{{- $owner := get (($gateway.metadata).annotations | default dict) "meta.helm.sh/release-name" -}}
{{- if and $owner (ne $owner .Release.Name) -}}
{{- fail (printf "the namespace %s already contains the release %s of this chart, and both would have the same names: use another namespace" .Release.Namespace $owner) -}}
{{- end -}}
{{- end }}

{{/* Compare the values with the claim of a Redis. .kept: the claim is left over from an earlier installation. .addresses: REDIS_ADDRS of the
live instances. */}}
{{- define "checks.claim" -}}
{{- $redis := .Values.redis -}}
{{- $name := .claim.metadata.name -}}
{{- $owner := get (.claim.metadata.labels | default dict) "app.kubernetes.io/instance" -}}
{{- if and $owner (ne $owner .Release.Name) -}}
{{- fail (printf "the namespace %s contains the data of the release %s (claim %s): install the chart as %s to use it, or use another namespace" .Release.Namespace $owner $name $owner) -}}
{{- end -}}
{{- if and .kept $redis.external (not .addresses) -}}
{{- fail (printf "redis.external: the namespace %s contains the data of an earlier installation (claim %s), and the external servers do not have it. Use another namespace, or delete the claims if you no longer need the data" .Release.Namespace $name) -}}
{{- end -}}
{{- if and .kept (not $redis.external) -}}
{{- $spec := .claim.spec | default dict -}}
{{- $size := (($spec.resources).requests).storage | default "" -}}
{{- if and (regexMatch "^[1-9][0-9]{0,6}(Mi|Gi|Ti)$" $size) (lt (include "mebibytes" $size | int64) (include "mebibytes" $redis.storage.size | int64)) -}}
{{- fail (printf "redis.storage.size: the claim %s of an earlier installation requests %s, which is less than %s: set redis.storage.size to %s, or first enlarge the volumes, as in step 1 of \"Resize the volumes\" in docs/operations.md" $name $size $redis.storage.size $size) -}}
{{- end -}}
{{- if and $redis.storage.class $spec.storageClassName (ne $redis.storage.class $spec.storageClassName) -}}
{{- fail (printf "redis.storage.class: the claim %s of an earlier installation has the class %s, and Kubernetes does not change it to %s: set redis.storage.class to %s" $name $spec.storageClassName $redis.storage.class $spec.storageClassName) -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* Compare the values with the objects in the cluster. `helm template` finds no objects; then the API server refuses a wrong change. */}}
{{- define "checks.live" -}}
{{- $namespace := .Release.Namespace -}}
{{- $redis := .Values.redis -}}
{{- include "checks.release" . -}}
{{- $order := lookup "apps/v1" "Deployment" $namespace "order-1" | default (lookup "apps/v1" "StatefulSet" $namespace "order") | default dict -}}
{{- $env := dict -}}
{{- $containers := ((($order.spec).template).spec).containers | default (list dict) -}}
{{- $password := dict -}}
{{- range (first $containers).env -}}
{{- $_ := set $env .name (.value | default "") -}}
{{- if eq .name "REDIS_PASSWORD" }}{{ $password = (.valueFrom).secretKeyRef | default dict }}{{ end -}}
{{- end -}}
{{- $secret := lookup "v1" "Secret" $namespace "redis-password" | default dict -}}
{{- if and $redis.password (eq (get $password "name") "redis-password") (get (($secret.metadata).annotations | default dict) "meta.helm.sh/release-name")
  (ne ($secret.data).password ($redis.password | b64enc)) -}}
{{- fail "redis.password is not the password in the Secret redis-password, which the pods have read. A change of the value restarts no pod: first change the Secret and restart the pods, as in \"Change the password\" in docs/deploy.md" -}}
{{- end -}}
{{- $system := default .Release.Name .Values.systemName -}}
{{- if ne ($env.SYSTEM_NAME | default $system) $system -}}
{{- fail (printf "systemName: the data belongs to the system %s, and the services would refuse it under the name %s: set systemName to %s" $env.SYSTEM_NAME $system $env.SYSTEM_NAME) -}}
{{- end -}}
{{- if and $env.REDIS_ADDRS (not $redis.external) (not (regexMatch "^order-redis-0(-0)?:" $env.REDIS_ADDRS)) -}}
{{- fail (printf "redis.external: the data of this system is in %s. Without redis.external, the system would start empty: back up the data, restore it to a new release, and uninstall this one" $env.REDIS_ADDRS) -}}
{{- end -}}
{{- range $service := list "order" "stock" "payment" -}}
{{- $name := printf "%s-redis" $service -}}
{{- $single := lookup "v1" "PersistentVolumeClaim" $namespace (printf "data-%s-0" $name) | default dict -}}
{{- $node := lookup "v1" "PersistentVolumeClaim" $namespace (printf "data-%s-0-0" $name) | default dict -}}
{{- $set := lookup "apps/v1" "StatefulSet" $namespace $name | default dict -}}
{{- $replicated := lookup "apps/v1" "StatefulSet" $namespace (printf "%s-0" $name) | default dict -}}
{{- range (lookup "v1" "PersistentVolumeClaim" $namespace "").items -}}
{{- if regexMatch (printf "^data-%s-[0-9]+(-[0-2])?$" $name) .metadata.name -}}
{{- include "checks.claim" (dict "claim" . "kept" (not (or $set $replicated)) "addresses" $env.REDIS_ADDRS "Values" $.Values "Release" $.Release) -}}
{{- end -}}
{{- end -}}
{{- $copies := include "replicas" $ -}}
{{- if and (eq $copies "3") (or $set $single) -}}
{{- fail (printf "redis.replicas: %s has single shards. Run k8s/replicate first, which renames their volumes: see \"From single shards to replicated shards\" in docs/operations.md" $service) -}}
{{- end -}}
{{- if and (eq $copies "1") (not $redis.external) (or $replicated $node) -}}
{{- fail (printf "redis.replicas: the shards of %s have three nodes. With one node each, they would start empty: set redis.replicas to 3" $service) -}}
{{- end -}}
{{- with $set.spec | default $replicated.spec -}}
{{- $name := ternary $name (printf "%s-0" $name) (not (empty $set)) -}}
{{- if $redis.external -}}
{{- fail (printf "redis.external: the data of this system is in the StatefulSet %s. Back it up, restore it to the external servers, and delete the StatefulSet first" $name) -}}
{{- end -}}
{{- $containers := ((.template).spec).initContainers | default ((.template).spec).containers | default (list dict) -}}
{{- $command := (first $containers).command | default list | join " " -}}
{{- $flavour := regexFind "(redis|valkey)-server" $command | trimSuffix "-server" -}}
{{- if and $flavour (ne $flavour $redis.flavour) -}}
{{- fail (printf "redis.flavour: %s runs %s, and %s cannot read its files: keep %s, or install a new system and copy the data" $name $flavour $redis.flavour $flavour) -}}
{{- end -}}
{{- range ternary ((first $containers).env | default list) list (eq $copies "3") -}}
{{- with ternary ((.valueFrom).secretKeyRef) dict (eq .name "REDISCLI_AUTH") -}}
{{- $old := get ((lookup "v1" "Secret" $namespace .name | default dict).data | default dict) .key -}}
{{- $new := get ((lookup "v1" "Secret" $namespace (include "secretName" $) | default dict).data | default dict) (include "secretKey" $) -}}
{{- if and (ne (printf "%s/%s" .name .key) (printf "%s/%s" (include "secretName" $) (include "secretKey" $))) (or (not $old) (ne $old $new)) -}}
{{- fail (printf "redis.existingSecret: %s has its password from the key %s of the Secret %s. A rolling update to another password would never end: keep the Secret, and follow \"Change the password\" in docs/deploy.md" $name .key .name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- with (first (.volumeClaimTemplates | default (list dict))).spec -}}
{{- $size := .resources.requests.storage -}}
{{- if ne (include "mebibytes" $size) (include "mebibytes" $redis.storage.size) -}}
{{- fail (printf "redis.storage.size: %s has volumes of %s, and Kubernetes does not change them to %s: follow \"Resize the volumes\" in docs/operations.md" $name $size $redis.storage.size) -}}
{{- end -}}
{{- $class := .storageClassName | default "" -}}
{{- if ne $class ($redis.storage.class | default "") -}}
{{- fail (printf "redis.storage.class: %s has volumes of class %q, and Kubernetes does not change it to %q: restore a backup to move the data to another class" $name $class $redis.storage.class) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}
