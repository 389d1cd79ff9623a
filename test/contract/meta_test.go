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
	hyperjump = "@hyperjump/json-schema@1.18.0" // carries what the OpenAPI initiative publishes, as scripts
	metaBase  = "https://spec.openapis.org/oas/3.1/"
)

// metaSchema is the schema of documents of OpenAPI 3.1, and of the schemas in them.
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

// The document is one of OpenAPI 3.1, and what is not is told from it.
func TestDocumentIsOpenAPI(t *testing.T) {
	t.Parallel()
	d, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	schema := metaSchema(t)
	type node = map[string]any
	for _, tt := range []struct {
		name     string
		spoil    func(document, operation, parameter, item node)
		violates string // part of what is said; nothing where all is well
	}{
		{"as it is", func(_, _, _, _ node) {}, ""},
		{"another version", func(document, _, _, _ node) { document["openapi"] = "3.0.3" }, "at '/openapi'"},
		{"no title", func(document, _, _, _ node) { delete(document["info"].(node), "title") }, "at '/info': missing property 'title'"},
		{"a path without its slash", func(document, _, _, _ node) { document["paths"].(node)["orders"] = node{} }, "at '/paths/orders'"},
		{"a method that does not exist", func(document, _, _, _ node) {
			document["paths"].(node)["/stock/find/{item_id}"].(node)["fetch"] = node{}
		}, "{item_id}/fetch'"},
		{"a field that does not exist", func(_, operation, _, _ node) { operation["sumary"] = "Look" }, "/get/sumary'"},
		{"a response that says nothing", func(_, operation, _, _ node) { operation["responses"].(node)["200"] = node{} }, "/responses/200'"},
		{"a status that is none", func(_, operation, _, _ node) { operation["responses"].(node)["20"] = node{"description": "done"} }, "/responses/20'"},
		{"a parameter without a place", func(_, _, parameter, _ node) { delete(parameter, "in") }, "at '/components/parameters/Item"},
		{"a parameter of a path that may be missing", func(_, _, parameter, _ node) { parameter["required"] = false }, "at '/components/parameters/Item"},
		{"a schema of no type", func(_, _, _, item node) { item["type"] = "objekt" }, "at '/components/schemas/Item/type'"},
		{"a schema whose bound is no number", func(_, _, _, item node) {
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
			tt.spoil(document, at("paths", "/stock/find/{item_id}", "get"), at("components", "parameters", "ItemId"), at("components", "schemas", "Item"))
			err := schema.Validate(any(document))
			switch {
			case tt.violates == "" && err != nil:
				t.Error(err)
			case tt.violates != "" && (err == nil || !strings.Contains(err.Error(), tt.violates)):
				t.Errorf("is found to be %v, want what is wrong %s", err, tt.violates)
			}
		})
	}
}
