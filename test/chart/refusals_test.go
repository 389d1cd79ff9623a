package main

import (
	"strings"
	"testing"
)

// refusals contains pairs of lines: values and, indented, a part of the error for these values.
const refusals = `
# names and sizes
entrance: {kind: ingress, host: 'https://a.example'}
    entrance.host "https://a.example" is not a host name: write
entrance: {kind: ingress, host: 'a.example:80'}
    entrance.host "a.example:80" is not a host name: write
entrance: {kind: ingress, host: a..example}
    entrance.host "a..example" is not a host name: write
entrance: {trustedProxies: [10.0.0.1]}
    entrance.trustedProxies "10.0.0.1" is not a network: write
redis: {storage: {size: 10GB}}
    redis.storage.size "10GB" is not a size: write
redis: {storage: {size: 3Gi}}
    redis.storage.size 3Gi is too small for redis.maxmemoryMi 1024
redis: {maxmemoryMi: 4096}
    so set at least 12292Mi
gateway: {workers: 64}
    gateway.memoryMi 512 is too small for 64 workers: set at least 1056
# values that the kind of entrance ignores
entrance: {host: a.example}
    list the name in access.hosts
entrance: {kind: none, host: a.example}
    entrance.host has no effect with entrance.kind none
entrance: {class: nginx}
    entrance.class has no effect with entrance.kind loadBalancer
entrance: {tlsSecret: tls}
    the gateway itself does not serve TLS
entrance: {kind: ingress, parent: others}
    remove it, or set entrance.kind to gateway
entrance: {kind: ingress, parentSection: web}
    remove it, or set entrance.kind to gateway
entrance: {gkeHealthCheck: true}
    use a BackendConfig
entrance: {kind: none, annotations: {a: b}}
    annotate the Service with gateway.service.annotations
entrance: {kind: gateway, parent: a, class: b}
    entrance.class has no effect with entrance.parent
entrance: {kind: gateway, parent: a, tlsSecret: b}
    entrance.tlsSecret has no effect with entrance.parent
entrance: {kind: gateway, class: a, parentSection: b}
    set entrance.parent to its name
entrance: {kind: gateway}
    requires entrance.class
entrance: {kind: gateway, class: a, tlsRedirect: true}
    entrance.tlsRedirect requires entrance.tlsSecret
entrance: {kind: ingress, tlsSecret: a, tlsRedirect: true}
    set the annotation of its controller
entrance: {kind: ingress, annotations: {cert-manager.io/issuer: a}}
    without entrance.host and entrance.tlsSecret
# Redis
redis: {image: 'valkey/valkey:9.1'}
    set redis.flavour to valkey
redis: {flavour: valkey, image: 'r.example/redis:8'}
    set redis.flavour to redis
redis: {external: {order: ['a:1'], stock: ['b:1']}}
    redis.external.payment is missing
redis: {external: {order: ['rediss://a:1'], stock: ['b:1'], payment: ['c:1']}}
    set redis.external.tls for TLS
redis: {external: {order: [a], stock: ['b:1'], payment: ['c:1']}}
    "a" is not host:port
redis: {external: {order: ['a:1'], stock: ['b:1'], payment: ['c:1'], caSecret: a}}
    redis.external.caSecret has no effect
{shards: 2, redis: {external: {order: ['a:1'], stock: ['b:1'], payment: ['c:1']}}}
    lists 1 shards, but shards is 2
redis: {gkeStatefulHA: true, external: {order: ['a:1'], stock: ['b:1'], payment: ['c:1']}}
    redis.gkeStatefulHA has no effect with redis.external
redis: {flavour: valkey, external: {order: ['a:1'], stock: ['b:1'], payment: ['c:1']}}
    redis.flavour has no effect with redis.external
redis: {minFreeMi: 5, external: {order: ['a:1'], stock: ['b:1'], payment: ['c:1']}}
    redis.minFreeMi has no effect with redis.external
redis: {service: {labels: {a: b}}, external: {order: ['a:1'], stock: ['b:1'], payment: ['c:1']}}
    redis.service.labels has no effect with redis.external
redis: {keeper: {tokenSecret: a}, external: {order: ['a:1'], stock: ['b:1'], payment: ['c:1']}}
    redis.keeper.tokenSecret has no effect with redis.external
redis: {external: {order: ['a:1'], stock: ['b:1'], payment: ['c:1'], tls: true, caKey: a}}
    redis.external.caKey has no effect without redis.external.caSecret
redis: {external: {order: ['a:1'], stock: ['b:1'], payment: ['c:1'], tls: true, caSecret: a, caKey: ..}}
    external/caKey
redis: {external: {order: ['-:1'], stock: ['b:1'], payment: ['c:1']}}
    "-:1" is not host:port
redis: {external: {order: ['..:1'], stock: ['b:1'], payment: ['c:1']}}
    "..:1" is not host:port
redis: {external: {order: ['[:::]:1'], stock: ['b:1'], payment: ['c:1']}}
    "[:::]:1" is not host:port
redis: {replicas: 3, external: {order: ['a:1'], stock: ['b:1'], payment: ['c:1']}}
    redis.replicas has no effect with redis.external
redis: {external: {order: ['a:1+b:1'], stock: ['b:1'], payment: ['c:1']}}
    a shard has one node or three
redis: {external: {order: ['a:1+b:1+c'], stock: ['b:1'], payment: ['c:1']}}
    "c" is not host:port
redis: {external: {order: ['a:1'], stock: ['A:1'], payment: ['c:1']}}
    each shard of each service needs its own Redis
redis: {external: {order: ['a:1', 'b:1', 'a:1'], stock: ['c:1'], payment: ['d:1']}}
    redis.external lists a:1 twice
redis: {external: {order: ['a:1+b:1+a:1'], stock: ['c:1'], payment: ['d:1']}}
    redis.external lists a:1 twice
redis: {keeper: {tokenSecret: a}}
    redis.keeper.tokenSecret has no effect without redis.replicas 3
redis: {replicas: 3, maxmemoryMi: 2048, storage: {size: 9Gi}}
    set at least 10244Mi
redis: {existingSecretKey: a}
    redis.existingSecretKey has no effect without redis.existingSecret
{backup: {enabled: true}, redis: {external: {order: ['a:1'], stock: ['b:1'], payment: ['c:1']}}}
    back up your own servers yourself
# policies and monitoring
networkPolicy: {enabled: false, metricsFrom: [{namespaceSelector: {matchLabels: {name: monitoring}}}]}
    networkPolicy.metricsFrom has no effect
observability: {prometheusOperator: true}
    needs networkPolicy.metricsFrom
observability: {labels: {a: b}}
    observability.labels has no effect
networkPolicy: {metricsFrom: [{namespaceSelectr: {}}]}
    namespaceSelectr
networkPolicy: {metricsFrom: [{namespaceSelector: {matchLabel: {}}}]}
    matchLabel
networkPolicy: {metricsFrom: [{namespaceSelector: {matchLabels: {a: 1}}}]}
    matchLabels/a
networkPolicy: {metricsFrom: [{}]}
    metricsFrom/0
networkPolicy: {metricsFrom: [monitoring]}
    metricsFrom/0
networkPolicy: {metricsFrom: [{ipBlock: {cidr: 10.0.0.1}}]}
    cidr
networkPolicy: {metricsFrom: [{ipBlock: {cidr: 10.0.0.0/8}, podSelector: {}}]}
    metricsFrom/0
# pods and objects
gateway: {replicas: 3, autoscale: {maxReplicas: 2}}
    is smaller than gateway.replicas 3
serviceAccount: {annotations: {a: b}}
    set it to true, or annotate the existing account
redis: {pod: {env: [{name: REDISCLI_AUTH, value: a}]}}
    redis.pod.env cannot contain REDISCLI_AUTH
redis: {pod: {volumes: [{name: data, emptyDir: {}}]}}
    redis.pod.volumes cannot contain data
machine: {pod: {volumeMounts: [{name: a, mountPath: /a}]}}
    names the volume a, which machine.pod.volumes
machine: {pod: {envs: []}}
    envs
machine: {pod: {env: [{name: A, value: 1}]}}
    env/0/value
machine: {pod: {env: [{name: A, valueFrom: {secretRef: {}}}]}}
    secretRef
machine: {pod: {volumes: [{name: a}]}}
    volumes/0
machine: {pod: {affinity: {nodeAfinity: {}}}}
    nodeAfinity
machine: {pod: {affinity: {nodeAffinity: {required: {}}}}}
    required
machine: {pod: {labels: {app.kubernetes.io/name: a}}}
    machine.pod.labels cannot contain app.kubernetes.io/name
machine: {pod: {annotations: {a: true}}}
    annotations/a
tolerations: [{key: a, effect: NoExcute}]
    effect
tolerations: [{keys: a}]
    keys
nodeSelector: {a: 1}
    nodeSelector/a
image: {digests: {order: 'sha256:1'}}
    digests/order
image: {digests: {redis: ''}}
    redis
image: {registry: 'https://r.example'}
    registry
image: {pullSecrets: [{name: a}]}
    pullSecrets/0
machine: {cpu: 0}
    cpu
machine: {cpu: '0.0'}
    cpu
machine: {cpu: '0.0001'}
    cpu
machine: {cpu: 0.0015}
    cpu
redis: {image: 'https://r/redis:8'}
    redis/image
redis: {image: 'Redis:8'}
    redis/image
redis: {image: 'redis@sha256:abc'}
    redis/image
image: {prefix: '-'}
    image/prefix
image: {registry: 'a:b:c'}
    image/registry
image: {registry: r, prefix: 'q:5000/'}
    image.prefix q:5000/ contains a registry
machine: {cpu: -1}
    cpu
lostNodeSeconds: 0
    lostNodeSeconds
entrance: {tlsSecret: [a]}
    tlsSecret
`

// TestRefusalsSayWhatToDo checks that the chart refuses contradictory values, values that would have no effect, and
// malformed values. The error must contain the indented line that follows the values in refusals or podRefusals.
func TestRefusalsSayWhatToDo(t *testing.T) {
	lines := strings.Split(strings.TrimSpace(strings.TrimSpace(refusals)+podRefusals), "\n")
	for i, values := range lines {
		if strings.HasPrefix(values, "#") || strings.HasPrefix(values, " ") {
			continue
		}
		sentence := strings.TrimSpace(lines[i+1])
		_, err := render(root, parse(t, values))
		if err == nil {
			t.Errorf("render with %s: got no error, want one", values)
		} else if !strings.Contains(err.Error(), sentence) {
			t.Errorf("render with %s: error does not contain %q: %v", values, sentence, err)
		}
	}
}
