// Command chart renders the Helm chart to the plain manifests in k8s/kube and gke/kube. Run it with `make manifests`.
// Its tests check the chart against the types of Kubernetes and the Gateway API. It is a separate module, so that the
// services do not depend on Helm and Kubernetes.
package main

import (
	"fmt"
	"os"
)

func main() {
	if err := write("../.."); err != nil {
		fmt.Fprintln(os.Stderr, "chart:", err)
		os.Exit(1)
	}
}
