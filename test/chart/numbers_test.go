package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// schema is a part of values.schema.json.
type schema struct {
	Ref        string `json:"$ref"`
	Type       any
	Maximum    int64
	Properties map[string]*schema
	Defs       map[string]*schema `json:"$defs"`
}

// largest sets each integer in the values to its maximum, except "machines", "shards" and everything in "pod".
func (s *schema) largest(defs map[string]*schema, values map[string]any) {
	for name, property := range s.Properties {
		if property.Ref != "" {
			property = defs[strings.TrimPrefix(property.Ref, "#/$defs/")]
		}
		switch {
		case name == "machines" || name == "shards":
		case property.Type == "integer":
			values[name] = float64(property.Maximum) // the type of numbers in a values file
		case property.Type == "object" && name != "pod":
			below := map[string]any{}
			if property.largest(defs, below); len(below) > 0 {
				values[name] = below
			}
		}
	}
}

// TestLargestNumbers renders the chart with the largest value of each integer. Helm reads the numbers in a values file
// as float64. Without a conversion, a template prints 1000000 as 1e+06.
func TestLargestNumbers(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, chartDir, "values.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	var s schema
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	for _, other := range []string{"storage: {size: 9Ti}", "replicas: 3, storage: {size: 9Ti}"} {
		values := parse(t, "{backup: {enabled: true}, redis: {"+other+"}}")
		largest := map[string]any{}
		s.largest(s.Defs, largest)
		for name, value := range largest {
			if below, ok := value.(map[string]any); ok {
				for key, number := range below {
					at(values, []string{name, key})[key] = number
				}
			} else {
				values[name] = value
			}
		}
		if len(largest) < 5 || largest["machine"].(map[string]any)["memoryMi"] != float64(1<<20) {
			t.Fatalf("got the largest values %v, want at least 5, and 1048576 for machine.memoryMi", largest)
		}
		rendered, err := render(root, values)
		if err != nil {
			t.Fatalf("render with %v: %v", values, err)
		}
		parseSystem(t, rendered)
		for name, text := range rendered {
			if number := regexp.MustCompile(`[0-9]e[+][0-9]+.*`).FindString(text); number != "" {
				t.Errorf("%s contains the number %s, want no exponent", name, number)
			}
		}
	}
}
