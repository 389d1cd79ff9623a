// Package contract holds the system to what it says of itself: order/site/openapi.json describes every route and
// every answer of the gateway, and nothing else. The services' own tests compare their routes with it, the end-to-end
// tests every answer that they get, and the tests here make clients of it.
package contract

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"checkout/test/stack"
)

// Document is the description of the API.
type Document struct {
	JSON  []byte
	tree  map[string]any
	paths []path
}

// path is a path of the document, such as /stock/find/{item_id}.
type path struct {
	template string
	pattern  *regexp.Regexp
	methods  map[string]map[string]any // operations, by method in capitals
}

var parameter = regexp.MustCompile(`\{[^}]+\}`)

// Load reads the document.
func Load() (*Document, error) {
	root, err := stack.Root()
	if err != nil {
		return nil, err
	}
	d := &Document{}
	if d.JSON, err = os.ReadFile(filepath.Join(root, "order/site/openapi.json")); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(d.JSON, &d.tree); err != nil {
		return nil, err
	}
	for template, item := range d.tree["paths"].(map[string]any) {
		p := path{template: template, methods: map[string]map[string]any{}}
		p.pattern = regexp.MustCompile("^" + shape(template, "[^/]+") + "$")
		for method, operation := range item.(map[string]any) {
			p.methods[strings.ToUpper(method)] = operation.(map[string]any)
		}
		d.paths = append(d.paths, p)
	}
	return d, nil
}

// shape returns a path with something else in place of each parameter.
func shape(template, with string) string { return parameter.ReplaceAllString(template, with) }

// Routes returns what the document describes, "GET /stock/find/{}", sorted.
func (d *Document) Routes() []string {
	var routes []string
	for _, p := range d.paths {
		for method := range p.methods {
			routes = append(routes, method+" "+shape(p.template, "{}"))
		}
	}
	slices.Sort(routes)
	return routes
}

// Find returns the operation that answers a request; nil if none does.
func (d *Document) Find(method, address string) map[string]any {
	for _, p := range d.paths {
		if operation := p.methods[method]; operation != nil && p.pattern.MatchString(address) {
			return operation
		}
	}
	return nil
}

// Resolve follows a reference within the document; nil if it leads nowhere.
func (d *Document) Resolve(node any) map[string]any {
	found, _ := node.(map[string]any)
	ref, ok := found["$ref"].(string)
	if !ok {
		return found
	}
	at := d.tree
	for step := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
		at, _ = at[step].(map[string]any)
	}
	return at
}

// Response returns what is said of an answer with this status; told is false if that is said only of what can befall
// any route.
func (d *Document) Response(operation map[string]any, status int) (said map[string]any, told bool) {
	responses := operation["responses"].(map[string]any)
	if r, ok := responses[fmt.Sprint(status)]; ok {
		return d.Resolve(r), true
	}
	return d.Resolve(responses["default"]), false
}

// Problems returns the types of problem that an answer may be of.
func (d *Document) Problems(response map[string]any) []string {
	content, _ := response["content"].(map[string]any)
	media, _ := content["application/problem+json"].(map[string]any)
	examples, _ := media["examples"].(map[string]any)
	var types []string
	for _, example := range examples {
		types = append(types, d.Resolve(example)["value"].(map[string]any)["type"].(string))
	}
	return types
}

// Refused returns the types of problem that can befall any request, whatever its route.
func (d *Document) Refused() []string {
	return d.Problems(d.Resolve(map[string]any{"$ref": "#/components/responses/Refused"}))
}

// Examples returns the examples that the document names, by name.
func (d *Document) Examples() map[string]any {
	examples := map[string]any{}
	for name, example := range d.tree["components"].(map[string]any)["examples"].(map[string]any) {
		examples[name] = example.(map[string]any)["value"]
	}
	return examples
}

// ProblemTypes returns every type of problem that the document knows.
func (d *Document) ProblemTypes() []string {
	var types []string
	for _, name := range d.Resolve(map[string]any{"$ref": "#/components/schemas/ProblemType"})["enum"].([]any) {
		types = append(types, name.(string))
	}
	return types
}

// Walk calls visit with every object of the document and its place in it, "#/components/schemas/Item".
func (d *Document) Walk(visit func(place string, node map[string]any)) { walk("#", d.tree, visit) }

func walk(place string, node any, visit func(string, map[string]any)) {
	switch node := node.(type) {
	case map[string]any:
		visit(place, node)
		for name, child := range node {
			walk(place+"/"+strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace(name), child, visit)
		}
	case []any:
		for i, child := range node {
			walk(fmt.Sprintf("%s/%d", place, i), child, visit)
		}
	}
}
