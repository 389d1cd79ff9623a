// Package validator compares HTTP responses of the running system with its OpenAPI document.
//
// A JSON Schema library checks values. This package selects the schema, and checks statuses, headers and problem types.
package validator

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

// Validator compares responses with the document. It is safe for concurrent use.
type Validator struct {
	document *contract.Document
	compiler *jsonschema.Compiler

	mu      sync.Mutex
	schemas map[string]*jsonschema.Schema // by reference
	seen    map[string]int                // number of responses by operation, status and problem type
}

// maxPerKind limits how many responses with the same operation, status and problem type are validated. Load tests
// receive thousands of similar responses.
const maxPerKind = 25

const location = "openapi.json"

// New returns a Validator for the document in the source tree.
func New() (*Validator, error) {
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
	return &Validator{document: d, compiler: c, schemas: map[string]*jsonschema.Schema{}, seen: map[string]int{}}, nil
}

// strict makes every object schema reject unlisted properties.
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

// Violation describes how a response differs from the document. It returns "" if the response conforms, or if Violation
// has already validated maxPerKind responses with the same operation, status and problem type.
func (v *Validator) Violation(method, path string, status int, header http.Header, body string) string {
	path = slashes.ReplaceAllString(path, "/")
	var problem struct{ Type string }
	if status >= 400 && json.Unmarshal([]byte(body), &problem) != nil {
		return "the body is not a problem document: " + body
	}
	operation := v.document.Operation(method, path)
	if operation == nil {
		// The document lacks this route, so the response must be one of the common problems.
		if status < 400 || !slices.Contains(v.document.CommonProblems(), problem.Type) {
			return fmt.Sprintf("no operation responds to %s %s with %d %s", method, path, status, problem.Type)
		}
		return ""
	}
	id := operation["operationId"]
	if !v.first(fmt.Sprint(id, status, problem.Type)) {
		return ""
	}
	response, listed := v.document.Response(operation, status)
	switch {
	case status < 400 && !listed:
		return fmt.Sprintf("status %d is not a documented response of %s", status, id)
	case status >= 400 && !slices.Contains(v.document.Problems(response), problem.Type):
		return fmt.Sprintf("%d %s is not a documented response of %s", status, problem.Type, id)
	}
	if violation := v.headers(response, header); violation != "" {
		return violation
	}
	return v.body(response, header.Get("Content-Type"), body)
}

// headers checks the documented headers of a response.
func (v *Validator) headers(response map[string]any, got http.Header) string {
	headers, _ := response["headers"].(map[string]any)
	for name, node := range headers {
		h := v.document.Resolve(node)
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
		if err := v.validate(node.(map[string]any)["$ref"].(string)+"/schema", typed); err != nil {
			return fmt.Sprintf("%s: %v", name, err)
		}
	}
	return ""
}

// body checks a body against the schema of its media type. It accepts every body if the schema is not a reference, as
// for web pages.
func (v *Validator) body(response map[string]any, media, body string) string {
	media, _, _ = strings.Cut(media, ";")
	content, _ := response["content"].(map[string]any)
	documented, ok := content[media].(map[string]any)
	if !ok {
		return fmt.Sprintf("media type %q is not documented", media)
	}
	ref, ok := documented["schema"].(map[string]any)["$ref"].(string)
	if !ok {
		return ""
	}
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(body))
	if err != nil {
		return err.Error()
	}
	if err := v.validate(ref, value); err != nil {
		return fmt.Sprintf("%v in %s", err, body)
	}
	return ""
}

// validate checks a value against the schema at a location of the document, such as "#/components/schemas/Item".
func (v *Validator) validate(ref string, value any) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	schema := v.schemas[ref]
	if schema == nil {
		var err error
		if schema, err = v.compiler.Compile(location + ref); err != nil {
			return err
		}
		v.schemas[ref] = schema
	}
	return schema.Validate(value)
}

func (v *Validator) first(kind string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.seen[kind]++
	return v.seen[kind] <= maxPerKind
}
