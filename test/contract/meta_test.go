package contract

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"checkout/test/npm"
)

const (
	hyperjump = "@hyperjump/json-schema@1.18.0" // contains the published OpenAPI schemas, as JavaScript
	metaBase  = "https://spec.openapis.org/oas/3.1/"
)

// metaSchema returns the JSON Schema of OpenAPI 3.1 documents.
func metaSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	folder := filepath.Join(npm.Unpack(t, hyperjump), "openapi-3-1")
	c := jsonschema.NewCompiler()
	for _, name := range []string{"schema", "schema-base", "dialect/base", "meta/base"} {
		script := `import schema from "` + filepath.Join(folder, name) + `.js"; console.log(JSON.stringify(schema))`
		text := npm.Run(t, folder, "node", "--input-type=module", "-e", script)
		schema, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if err := c.AddResource(metaBase+name, schema); err != nil {
			t.Fatal(err)
		}
	}
	schema, err := c.Compile(metaBase + "schema-base")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func TestDocumentIsValidOpenAPI(t *testing.T) {
	t.Parallel()
	d, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	schema := metaSchema(t)
	type node = map[string]any
	for _, tt := range []struct {
		name      string
		edit      func(document, operation, parameter, item node)
		wantError string // part of the error; empty: no error
	}{
		{"unchanged", func(_, _, _, _ node) {}, ""},
		{"unsupported version", func(document, _, _, _ node) { document["openapi"] = "3.0.3" }, "at '/openapi'"},
		{"no title", func(document, _, _, _ node) {
			delete(document["info"].(node), "title")
		}, "at '/info': missing property 'title'"},
		{"path without a slash", func(document, _, _, _ node) {
			document["paths"].(node)["orders"] = node{}
		}, "at '/paths/orders'"},
		{"unknown method", func(document, _, _, _ node) {
			document["paths"].(node)["/stock/find/{item_id}"].(node)["fetch"] = node{}
		}, "{item_id}/fetch'"},
		{"unknown field", func(_, operation, _, _ node) { operation["sumary"] = "Look" }, "/get/sumary'"},
		{"empty response", func(_, operation, _, _ node) {
			operation["responses"].(node)["200"] = node{}
		}, "/responses/200'"},
		{"invalid status", func(_, operation, _, _ node) {
			operation["responses"].(node)["20"] = node{"description": "done"}
		}, "/responses/20'"},
		{"parameter without a location", func(_, _, parameter, _ node) {
			delete(parameter, "in")
		}, "at '/components/parameters/Item"},
		{"optional path parameter", func(_, _, parameter, _ node) {
			parameter["required"] = false
		}, "at '/components/parameters/Item"},
		{"unknown schema type", func(_, _, _, item node) { item["type"] = "objekt" }, "at '/components/schemas/Item/type'"},
		{"bound that is not a number", func(_, _, _, item node) {
			item["properties"].(node)["stock"] = node{"type": "integer", "minimum": "0"}
		}, "at '/components/schemas/Item/properties/stock/minimum'"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var document node
			if err := json.Unmarshal(d.JSON, &document); err != nil {
				t.Fatal(err)
			}
			at := func(steps ...string) node {
				found := document
				for _, step := range steps {
					found = found[step].(node)
				}
				return found
			}
			tt.edit(document, at("paths", "/stock/find/{item_id}", "get"),
				at("components", "parameters", "ItemId"), at("components", "schemas", "Item"))
			err := schema.Validate(any(document))
			switch {
			case tt.wantError == "" && err != nil:
				t.Error(err)
			case tt.wantError != "" && (err == nil || !strings.Contains(err.Error(), tt.wantError)):
				t.Errorf("got error %v, want %q", err, tt.wantError)
			}
		})
	}
}
