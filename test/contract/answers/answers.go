// Package answers compares answers of the running system with the description of the API. What a schema of OpenAPI
// 3.1 says is JSON Schema, and is checked by a library for that; what the description says around it is looked up
// here.
package answers

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"checkout/test/contract"
)

// Answers compares answers with what the document says of them.
type Answers struct {
	document *contract.Document
	compiler *jsonschema.Compiler

	mu      sync.Mutex
	schemas map[string]*jsonschema.Schema // by reference
	seen    map[string]int                // answers of a kind
}

// ofAKind is how many answers of one route, status and problem are looked at: tests under load get thousands that are
// alike.
const ofAKind = 25

const location = "openapi.json"

// New returns what compares answers with the document.
func New() (*Answers, error) {
	d, err := contract.Load()
	if err != nil {
		return nil, err
	}
	tree, err := jsonschema.UnmarshalJSON(bytes.NewReader(d.JSON))
	if err != nil {
		return nil, err
	}
	strict(tree)
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource(location, tree); err != nil {
		return nil, err
	}
	return &Answers{document: d, compiler: c, schemas: map[string]*jsonschema.Schema{}, seen: map[string]int{}}, nil
}

// strict has every object schema forbid what it does not name, so that nothing is answered that is not described.
func strict(node any) {
	switch node := node.(type) {
	case map[string]any:
		if _, ok := node["properties"]; ok && node["type"] == "object" {
			node["additionalProperties"] = false
		}
		for _, child := range node {
			strict(child)
		}
	case []any:
		for _, child := range node {
			strict(child)
		}
	}
}

var slashes = regexp.MustCompile(`/+`)

// Flaw tells how an answer differs from what is said of it; empty if it does not.
func (a *Answers) Flaw(method, address string, status int, header http.Header, body string) string {
	address = slashes.ReplaceAllString(address, "/")
	var problem struct{ Type string }
	if status >= 400 && json.Unmarshal([]byte(body), &problem) != nil {
		return "it is no problem: " + body
	}
	operation := a.document.Find(method, address)
	if operation == nil {
		// What there is no route for is refused by the gateway or by a service, whatever its path.
		if status < 400 || !slices.Contains(a.document.Refused(), problem.Type) {
			return fmt.Sprintf("no route is said to answer %s %s with %d %s", method, address, status, problem.Type)
		}
		return ""
	}
	id := operation["operationId"]
	if !a.first(fmt.Sprint(id, status, problem.Type)) {
		return ""
	}
	said, told := a.document.Response(operation, status)
	switch {
	case status < 400 && !told:
		return fmt.Sprintf("%d is not said to be an answer of %s", status, id)
	case status >= 400 && !slices.Contains(a.document.Problems(said), problem.Type):
		return fmt.Sprintf("%d %s is not said to be an answer of %s", status, problem.Type, id)
	}
	if flaw := a.headers(said, header); flaw != "" {
		return flaw
	}
	return a.body(said, header.Get("Content-Type"), body)
}

// headers compares the headers that are described.
func (a *Answers) headers(said map[string]any, got http.Header) string {
	headers, _ := said["headers"].(map[string]any)
	for name, described := range headers {
		h := a.document.Resolve(described)
		value := got.Get(name)
		if value == "" {
			if h["required"] == true {
				return name + " is missing"
			}
			continue
		}
		var typed any = value
		if h["schema"].(map[string]any)["type"] == "integer" {
			typed = json.Number(value)
		}
		if err := a.validate(described.(map[string]any)["$ref"].(string)+"/schema", typed); err != nil {
			return fmt.Sprintf("%s: %v", name, err)
		}
	}
	return ""
}

// body compares a body with the schema of its media type. Pages, which are no JSON, have none to speak of.
func (a *Answers) body(said map[string]any, media, body string) string {
	media, _, _ = strings.Cut(media, ";")
	content, _ := said["content"].(map[string]any)
	described, ok := content[media].(map[string]any)
	if !ok {
		return fmt.Sprintf("%q is not said to be its media type", media)
	}
	ref, ok := described["schema"].(map[string]any)["$ref"].(string)
	if !ok {
		return ""
	}
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(body))
	if err != nil {
		return err.Error()
	}
	if err := a.validate(ref, value); err != nil {
		return fmt.Sprintf("%v in %s", err, body)
	}
	return ""
}

// validate compares a value with the schema at a place of the document, "#/components/schemas/Item".
func (a *Answers) validate(ref string, value any) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	schema := a.schemas[ref]
	if schema == nil {
		var err error
		if schema, err = a.compiler.Compile(location + ref); err != nil {
			return err
		}
		a.schemas[ref] = schema
	}
	return schema.Validate(value)
}

func (a *Answers) first(kind string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.seen[kind]++
	return a.seen[kind] <= ofAKind
}
