{{/* A Job that creates a Secret with a random value, such as the password of Redis, unless the Secret exists. .key: the key in the Secret.
The pods that use the Secret wait until it exists. So the chart's output contains nothing random, and the password stays when the output is applied again, with Helm or kubectl.
The Secret is not in the output, but has the label by which Argo CD before 3.0 finds its objects. The annotations prevent that Argo CD deletes it. */}}
{{- define "password.job" -}}
apiVersion: v1
kind: ServiceAccount
metadata: {{- include "metadata" . | nindent 2 }}
automountServiceAccountToken: false
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {{- include "metadata" . | nindent 2 }}
rules:
  - {apiGroups: [""], resources: [secrets], verbs: [create]} # the Job cannot read, change or delete a Secret
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{- include "metadata" . | nindent 2 }}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: {{ .name }}}
subjects:
  - {kind: ServiceAccount, name: {{ .name }}} # in the namespace of the RoleBinding
---
{{- $template := include "password.template" . }}
apiVersion: batch/v1
kind: Job
metadata: {{- include "metadata" (merge (dict "as" (printf "%s-%s" .name (sha256sum $template | trunc 8))) .) | nindent 2 }}
spec: # Kubernetes allows no change of a Job, so the Job's name contains a hash of the pod template
  backoffLimit: 100
  template: {{- $template | nindent 4 }}
{{- end }}

{{- define "password.template" -}}
metadata:
  labels: {{- include "selector" . | nindent 4 }}
spec:
  {{- include "pod" (merge (dict "account" .name) .) | nindent 2 }}
  {{- include "podSecurity" (dict "user" 101) | nindent 2 }}
  restartPolicy: OnFailure
  containers:
    - name: password
      {{- include "image" (merge (dict "name" "gateway") .) | nindent 6 }}
      {{- include "resources" (dict "cpu" "50m" "memoryMi" 64) | nindent 6 }}
      {{- include "containerSecurity" . | nindent 6 }}
      command: [sh, -c]
      args:
        - |
          set -eu
          account=/var/run/secrets/kubernetes.io/serviceaccount
          password=$(head -c 20 /dev/urandom | od -An -v -tx1 | tr -d ' \n')
          response=$(curl -sS --max-time 20 --cacert $account/ca.crt --oauth2-bearer "$(cat $account/token)" -w '\n%{http_code}' \
              -H 'Content-Type: application/json' -d @- "https://kubernetes.default.svc/api/v1/namespaces/$(cat $account/namespace)/secrets" <<SECRET
          {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "{{ .name }}", "labels": {{ include "selector" . | fromYaml | toJson }},
            "annotations": {"argocd.argoproj.io/sync-options": "Prune=false", "argocd.argoproj.io/compare-options": "IgnoreExtraneous"}},
           "stringData": {"{{ .key }}": "$password"}}
          SECRET
          )
          case $response in
          *201) echo "created the Secret {{ .name }}" ;;
          *409) echo "the Secret {{ .name }} exists: nothing to do" ;;
          *) echo "create the Secret {{ .name }}: $response"; exit 1 ;;
          esac
{{- end }}
