// Package contract reads order/site/openapi.json and compares the system with it.
//
// The document describes every public route and response. Tests of the services compare their routes with the document.
// End-to-end tests compare responses with the document (package validator). The tests of this package generate clients
// from the document.
package contract

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"checkout/test/stack"
)

// Document is the OpenAPI document of the public API.
type Document struct {
	JSON  []byte
	tree  map[string]any
	paths []path
}

// path is an entry of the document's paths, such as /stock/find/{item_id}.
type path struct {
	template   string
	pattern    *regexp.Regexp
	operations map[string]map[string]any // by method, in upper case
}

var parameter = regexp.MustCompile(`\{[^}]+\}`)

// Load reads the document from the source tree.
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
		p := path{template: template, operations: map[string]map[string]any{}}
		pattern := "^" + replaceParameters(template, "[^/]+")
		if slices.Contains(slices.Collect(maps.Values(prefixes)), template) {
			pattern += "/?" // the gateway serves /orders and /orders/
		}
		p.pattern = regexp.MustCompile(pattern + "$")
		for method, operation := range item.(map[string]any) {
			p.operations[strings.ToUpper(method)] = operation.(map[string]any)
		}
		d.paths = append(d.paths, p)
	}
	return d, nil
}

// replaceParameters replaces each parameter of a path template, such as {item_id}, with a string.
func replaceParameters(template, with string) string {
	return parameter.ReplaceAllString(template, with)
}

// Routes returns the routes of the document, sorted, in the form "GET /stock/find/{}".
func (d *Document) Routes() []string {
	var routes []string
	for _, p := range d.paths {
		for method := range p.operations {
			routes = append(routes, method+" "+replaceParameters(p.template, "{}"))
		}
	}
	slices.Sort(routes)
	return routes
}

// Operation returns the operation that handles a request, or nil if there is none.
func (d *Document) Operation(method, path string) map[string]any {
	for _, p := range d.paths {
		if operation := p.operations[method]; operation != nil && p.pattern.MatchString(path) {
			return operation
		}
	}
	return nil
}

// Resolve returns a node. If the node is a reference, Resolve returns the target, or nil if the target does not exist.
func (d *Document) Resolve(node any) map[string]any {
	object, _ := node.(map[string]any)
	ref, ok := object["$ref"].(string)
	if !ok {
		return object
	}
	target := d.tree
	for step := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
		target, _ = target[step].(map[string]any)
	}
	return target
}

// Response returns the documented response of an operation for a status. The second result is false if only the
// default response applies.
func (d *Document) Response(operation map[string]any, status int) (response map[string]any, listed bool) {
	responses := operation["responses"].(map[string]any)
	if r, ok := responses[fmt.Sprint(status)]; ok {
		return d.Resolve(r), true
	}
	return d.Resolve(responses["default"]), false
}

// Problems returns the problem types of a response.
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

// CommonProblems returns the problem types that a request to any path can get.
func (d *Document) CommonProblems() []string {
	return d.Problems(d.Resolve(map[string]any{"$ref": "#/components/responses/Refused"}))
}

// Examples returns the shared examples of the document, by name.
func (d *Document) Examples() map[string]any {
	examples := map[string]any{}
	for name, example := range d.tree["components"].(map[string]any)["examples"].(map[string]any) {
		examples[name] = example.(map[string]any)["value"]
	}
	return examples
}

// ProblemTypes returns every problem type of the document.
func (d *Document) ProblemTypes() []string {
	var types []string
	for _, name := range d.Resolve(map[string]any{"$ref": "#/components/schemas/ProblemType"})["enum"].([]any) {
		types = append(types, name.(string))
	}
	return types
}

// Walk passes every object of the document to the callback, with its location, such as "#/components/schemas/Item".
func (d *Document) Walk(visit func(location string, node map[string]any)) { walk("#", d.tree, visit) }

func walk(location string, node any, visit func(string, map[string]any)) {
	switch node := node.(type) {
	case map[string]any:
		visit(location, node)
		for name, child := range node {
			walk(location+"/"+strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace(name), child, visit)
		}
	case []any:
		for i, child := range node {
			walk(fmt.Sprintf("%s/%d", location, i), child, visit)
		}
	}
}
