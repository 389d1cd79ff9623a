package main

import (
	"regexp"
	"strings"
	"testing"

	"k8s.io/client-go/util/jsonpath"
)

// TestNotesPrintTheAddress checks that the command in the notes prints the address of the load balancer. Some
// clouds give the load balancer a host name, and others an IP address.
func TestNotesPrintTheAddress(t *testing.T) {
	for _, kind := range []string{"loadBalancer", "ingress"} {
		rendered, err := renderLive(t, "entrance: {kind: "+kind+"}", nil)
		if err != nil {
			t.Fatal(err)
		}
		expression := regexp.MustCompile(`jsonpath='(.*)'`).FindStringSubmatch(rendered["checkout/templates/NOTES.txt"])
		if expression == nil {
			t.Fatalf("entrance %s: the notes have no command that prints the address", kind)
		}
		for field, address := range map[string]string{"ip": "192.0.2.1", "hostname": "lb.example"} {
			object := map[string]any{"status": map[string]any{"loadBalancer": map[string]any{
				"ingress": []any{map[string]any{field: address}}}}}
			var got strings.Builder
			path := jsonpath.New("notes").AllowMissingKeys(true) // like kubectl
			if err := path.Parse(expression[1]); err != nil {
				t.Fatal(err)
			}
			if err := path.Execute(&got, object); err != nil || got.String() != "http://"+address+"/\n" {
				t.Errorf("entrance %s with %s %s: got %q, error %v; want the URL of this address", kind, field, address,
					got.String(), err)
			}
		}
	}
}
