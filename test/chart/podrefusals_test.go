package main

import (
	"strings"
	"testing"
)

// podRefusals is like refusals, but for settings of pods. Kubernetes itself would refuse these settings, but only after
// Helm has created other objects.
const podRefusals = `
# pods
machine: {pod: {volumes: [{name: a, emptyDir: {}}, {name: a, emptyDir: {}}]}}
    machine.pod.volumes contains a twice
redis: {pod: {volumes: [{name: a, emptyDir: {}}], volumeMounts: [{name: a, mountPath: /a}, {name: a, mountPath: /a/}]}}
    redis.pod.volumeMounts contains /a twice
machine: {pod: {env: [{name: A, value: b}, {name: A, value: c}]}}
    machine.pod.env contains A twice
redis: {pod: {volumes: [{name: a, emptyDir: {}}], volumeMounts: [{name: a, mountPath: /data}]}}
    because the chart mounts /data: choose another mountPath
redis: {pod: {volumes: [{name: a, emptyDir: {}}], volumeMounts: [{name: a, mountPath: /scripts/a}]}}
    because the chart mounts /scripts
machine: {pod: {volumes: [{name: a, emptyDir: {}}], volumeMounts: [{name: a, mountPath: /etc/redis-ca/}]}}
    because the chart mounts /etc/redis-ca
gateway: {pod: {volumes: [{name: a, emptyDir: {}}], volumeMounts: [{name: a, mountPath: //tmp}]}}
    because the chart mounts /tmp
gateway: {pod: {volumes: [{name: a, emptyDir: {}}], volumeMounts: [{name: a, mountPath: /etc/nginx}]}}
    because the chart mounts /etc/nginx/listen.conf
gateway: {pod: {volumes: [{name: a, emptyDir: {}}], volumeMounts: [{name: a, mountPath: /.}]}}
    gateway.pod.volumeMounts cannot contain /, because
machine: {pod: {volumeMounts: [{name: a, mountPath: /a, subPath: a, subPathExpr: b}]}}
    volumeMounts/0
machine: {pod: {volumeMounts: [{name: a, mountPath: /a, subPath: ../b}]}}
    volumeMounts/0/subPath
machine: {pod: {volumeMounts: [{name: a, mountPath: /a, mountPropagation: Bidirectional}]}}
    mountPropagation
machine: {pod: {volumeMounts: [{name: a, mountPath: /a, recursiveReadOnly: Enabled}]}}
    missing property 'readOnly'
machine: {pod: {env: [{name: A, value: b, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}]}}
    env/0/value
machine: {pod: {env: [{name: A, valueFrom: {secretKeyRef: {nam: a}}}]}}
    'nam'
machine: {pod: {env: [{name: A, valueFrom: {secretKeyRef: {}}}]}}
    missing properties 'name', 'key'
machine: {pod: {env: [{name: A, valueFrom: {configMapKeyRef: {name: a, key: ..}}}]}}
    configMapKeyRef/key
machine: {pod: {env: [{name: A, valueFrom: {fieldRef: {fieldPath: spec.node}}}]}}
    fieldRef/fieldPath
machine: {pod: {env: [{name: A, valueFrom: {resourceFieldRef: {resource: limits.cpu, divisor: 1Mi}}}]}}
    resourceFieldRef/divisor
machine: {pod: {labels: {A_: b}}}
    at '/machine/pod/labels': additional properties 'A_' not allowed
machine: {pod: {labels: {a/b/c: b}}}
    'a/b/c'
machine: {pod: {annotations: {A_: b}}}
    'A_'
gateway: {service: {annotations: {'a b': c}}}
    'a b'
entrance: {annotations: {A_: b}}
    'A_'
serviceAccount: {create: true, annotations: {A_: b}}
    'A_'
observability: {dashboard: {labels: {A_: b}}}
    'A_'
nodeSelector: {a: c d}
    nodeSelector/a
nodeSelector: {a b: c}
    'a b'
tolerations: [{}]
    missing property 'key'
tolerations: [{key: a, operator: Exists, value: b}]
    tolerations/0/value
tolerations: [{key: a, operator: Exists, effect: NoSchedule, tolerationSeconds: 5}]
    tolerations/0/effect
tolerations: [{key: a, operator: Exists, tolerationSeconds: 5}]
    missing property 'effect'
tolerations: [{key: a, operator: Lt, value: "5"}]
    tolerations/0/operator
serviceAccount: {create: true, name: redis-password}
    serviceAccount.name cannot be redis-password
serviceAccount: {name: backup}
    serviceAccount.name cannot be backup
entrance: {kind: gateway, parent: a, parentNamespace: b.c}
    parentNamespace
image: {pullSecrets: [a..b]}
    pullSecrets/0
# volumes
machine: {pod: {volumes: [{name: a, secrett: {secretName: b}}]}}
    'secrett'
machine: {pod: {volumes: [{name: a, secret: {name: b}}]}}
    volumes/0/secret
machine: {pod: {volumes: [{name: a, configMap: {name: b, items: [{key: c, path: /d}]}}]}}
    items/0/path
machine: {pod: {volumes: [{name: a, emptyDir: {size: 1Gi}}]}}
    'size'
machine: {pod: {volumes: [{name: a, emptyDir: {sizeLimit: 1GB}}]}}
    sizeLimit
machine: {pod: {volumes: [{name: a, persistentVolumeClaim: {}}]}}
    claimName
machine: {pod: {volumes: [{name: a, hostPath: {path: /b}}]}}
    'hostPath'
machine: {pod: {volumes: [{name: a, projected: {sources: [{secret: {nam: b}}]}}]}}
    'nam'
machine: {pod: {volumes: [{name: a, downwardAPI: {items: [{path: b, fieldRef: {fieldPath: spec.nodeName}}]}}]}}
    fieldPath
machine: {pod: {volumes: [{name: a, csi: {volumeAttributes: {b: c}}}]}}
    'driver'
machine: {pod: {volumes: [{name: a, ephemeral: {volumeClaimTemplate: {spec: {accessModes: [ReadWriteOnce]}}}}]}}
    'resources'
# network policies
networkPolicy: {metricsFrom: [{podSelector: {matchExpressions: [{key: a, operator: In}]}}]}
    missing property 'values'
networkPolicy: {metricsFrom: [{podSelector: {matchExpressions: [{key: a, operator: Exists, values: [b]}]}}]}
    values
networkPolicy: {metricsFrom: [{namespaceSelector: {matchLabels: {a b: c}}}]}
    'a b'
networkPolicy: {metricsFrom: [{ipBlock: {cidr: 10.0.0.0/8, except: [11.0.0.0/16]}}]}
    the exception 11.0.0.0/16 is not a part of 10.0.0.0/8
networkPolicy: {metricsFrom: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.0.0.0/8]}}]}
    the exception 10.0.0.0/8 is not a part of 10.0.0.0/8
networkPolicy: {metricsFrom: [{ipBlock: {cidr: 10.128.0.0/9, except: [10.0.0.0/16]}}]}
    the exception 10.0.0.0/16 is not a part of
networkPolicy: {metricsFrom: [{ipBlock: {cidr: 0.0.0.0/0, except: ['fd00::/8']}}]}
    the exception fd00::/8 is not a part of
networkPolicy: {metricsFrom: [{ipBlock: {cidr: 'fd00:0:1::/48', except: ['fd00::1:0:0:0/64']}}]}
    the exception fd00::1:0:0:0/64 is not a part of
`

// TestSettingsOfPodsAreAccepted checks that the schema has the fields that pods need.
func TestSettingsOfPodsAreAccepted(t *testing.T) {
	for _, values := range []string{
		`machine: {pod: {volumes: [{name: a, emptyDir: {medium: Memory, sizeLimit: 64Mi}},
			{name: b, configMap: {name: b.c, items: [{key: .d, path: e/f, mode: 0400}], defaultMode: 0440, optional: true}},
			{name: c, secret: {secretName: c, items: [{key: a, path: b}]}}, {name: d, persistentVolumeClaim: {claimName: d}},
			{name: e, csi: {driver: secrets-store.csi.k8s.io, readOnly: true, volumeAttributes: {secretProviderClass: e}}},
			{name: f, ephemeral: {volumeClaimTemplate: {metadata: {labels: {a: b}}, spec: {accessModes: [ReadWriteOnce],
				storageClassName: fast, resources: {requests: {storage: 1Gi}}}}}},
			{name: g, downwardAPI: {items: [{path: labels, fieldRef: {fieldPath: metadata.labels}}]}},
			{name: h, projected: {sources: [{secret: {name: a}}, {configMap: {name: a}}, {serviceAccountToken: {path: token,
				audience: a, expirationSeconds: 3600}}]}}],
			volumeMounts: [{name: a, mountPath: /a}, {name: a, mountPath: /etc/ssl/certs, subPath: b, readOnly: true,
				recursiveReadOnly: IfPossible}]}}`,
		`gateway: {pod: {volumes: [{name: a, configMap: {name: a}}], volumeMounts: [{name: a, mountPath: /etc/nginx/a},
			{name: a, mountPath: /tmps}]}}`,
		`machine: {pod: {env: [{name: A}, {name: B, value: b}, {name: C, valueFrom: {secretKeyRef: {name: a, key: b}}},
			{name: D, valueFrom: {fieldRef: {fieldPath: "metadata.labels['app.kubernetes.io/name']"}}},
			{name: E, valueFrom: {resourceFieldRef: {resource: limits.memory, divisor: 1Mi}}}]}}`,
		`machine: {pod: {affinity: {
			nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [
				{matchExpressions: [{key: a.b/c, operator: NotIn, values: [a]}, {key: d, operator: Exists}, {key: e, operator: Gt,
					values: ["5"]}]}, {matchFields: [{key: metadata.name, operator: In, values: [node-1]}]}]},
				preferredDuringSchedulingIgnoredDuringExecution: [{weight: 100, preference: {matchExpressions: []}}]},
			podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: kubernetes.io/hostname,
				labelSelector: {matchLabels: {a: b}, matchExpressions: [{key: a, operator: In, values: [b]}]},
				namespaces: [a], namespaceSelector: {}}]},
			podAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{weight: 1, podAffinityTerm: {topologyKey: a}}]}}}}`,
		`{tolerations: [{operator: Exists}, {key: a.example/b, value: c}, {key: a, operator: Equal, value: "",
			effect: NoExecute, tolerationSeconds: 9}], nodeSelector: {topology.kubernetes.io/zone: ""}}`,
		`{machine: {pod: {labels: {a.example/B: c}, annotations: {A.example/b_c: "d e"}}}, entrance: {kind: ingress,
			annotations: {nginx.ingress.kubernetes.io/proxy-body-size: "0"}}}`,
		`networkPolicy: {metricsFrom: [{podSelector: {}},
			{podSelector: {matchExpressions: [{key: a, operator: DoesNotExist}]}},
			{ipBlock: {cidr: 0.0.0.0/0, except: [10.0.0.0/8, 1.2.3.4/32]}}, {ipBlock: {cidr: 10.128.0.0/9,
			except: [10.255.0.0/16]}}, {ipBlock: {cidr: "fd00:0:1::/48", except: ["fd00:0:1:0::/64", "fd00:0:1:2::/64"]}}]}`,
	} {
		load(t, parse(t, values))
	}
}

// TestWrongAffinityIsRefused checks the errors for malformed affinities.
func TestWrongAffinityIsRefused(t *testing.T) {
	const required, preferred = "requiredDuringSchedulingIgnoredDuringExecution",
		"preferredDuringSchedulingIgnoredDuringExecution"
	expression := func(text string) string {
		return "nodeAffinity: {" + required + ": {nodeSelectorTerms: [{matchExpressions: [{" + text + "}]}]}}"
	}
	for affinity, want := range map[string]string{
		"podAffinity: {" + required + ": [{topologyKy: a}]}":                                       "topologyKy",
		"podAffinity: {" + required + ": {}}":                                                      required + "': got obj",
		"podAntiAffinity: {" + preferred + ": [{weight: 0, podAffinityTerm: {topologyKey: a}}]}":   "0/weight",
		"podAntiAffinity: {" + required + ": [{topologyKey: a, labelSelector: {matchLabel: {}}}]}": "'matchLabel'",
		"nodeAffinity: {" + required + ": [{matchExpressions: []}]}":                               required + "': got array",
		"nodeAffinity: {" + preferred + ": [{weight: 1, preference: {matchFields: [{key: a}]}}]}":  "matchFields/0",
		expression("key: a, operator: In"):                                                         "property 'values'",
		expression("key: a, operator: Exists, values: [b]"):                                        "values': maxItems",
		expression("key: a, operator: Gt, values: [b]"):                                            "values/0",
		expression("key: a b, operator: Exists"):                                                   "/key",
	} {
		_, err := render(root, parse(t, "machine: {pod: {affinity: {"+affinity+"}}}"))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("render with the affinity %s: got the error %v, want %q in it", affinity, err, want)
		}
	}
}
