package answers

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"checkout/common/api"
	"checkout/common/web"
	"checkout/test/contract"
	"checkout/test/stack"
)

func open(t *testing.T) *Answers {
	t.Helper()
	a, err := New()
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// What is compared can fail: each of these is not as the document says.
func TestFlaws(t *testing.T) {
	t.Parallel()
	a := open(t)
	problem := func(name string, status int) string {
		return fmt.Sprintf(`{"type":"/problems/%s","title":"t","status":%d,"request_id":"r"}`, name, status)
	}
	for _, c := range []struct {
		method, path  string
		status        int
		headers, body string // "A: b, C: d"
		want          string // in the flaw; empty: there is none
	}{
		{"GET", "/stock/find/7", 200, "", `{"price":5,"stock":1}`, ""},
		{"GET", "//stock//find/7", 200, "", `{"price":5,"stock":1}`, ""},
		{"GET", "/stock/find/7", 200, "", `{"price":5,"stock":1,"colour":"red"}`, "additional properties 'colour'"},
		{"GET", "/stock/find/7", 200, "", `{"price":5}`, "missing property 'stock'"},
		{"GET", "/stock/find/7", 200, "", `{"price":"5","stock":1}`, "got string, want integer"},
		{"GET", "/stock/find/7", 200, "", `{"price":5,"stock":9007199254740992}`, "maximum"},
		{"GET", "/stock/find/7", 200, "Content-Type: text/plain", `{"price":5,"stock":1}`, "media type"},
		{"GET", "/stock/find/7", 200, "X-Request-Id: ", `{"price":5,"stock":1}`, "X-Request-Id is missing"},
		{"GET", "/stock/find/7", 201, "", `{"price":5,"stock":1}`, "201 is not said"},
		{"GET", "/stock/look/7", 200, "", `{}`, "no route"},
		{"GET", "/stock/find/7", 404, "", problem("item-not-found", 404), ""},
		{"GET", "/stock/find/7", 404, "", problem("order-not-found", 404), "/problems/order-not-found is not said"},
		{"GET", "/stock/find/7", 409, "", problem("insufficient-stock", 409), "is not said"},
		{"GET", "/stock/find/7", 413, "", problem("payload-too-large", 413), ""},
		{"GET", "/stock/find/7", 404, "", `{"type":"/problems/item-not-found","title":"t","status":404}`, "missing property 'request_id'"},
		{"GET", "/stock/find/7", 503, "Retry-After: 1", problem("unavailable", 503), ""},
		{"GET", "/stock/find/7", 503, "", problem("unavailable", 503), "Retry-After is missing"},
		{"GET", "/stock/find/7", 503, "Retry-After: soon", problem("unavailable", 503), "Retry-After"},
		{"GET", "/stock/find/7", 502, "", "<html>", "no problem"},
		{"POST", "/stock/add/7/1", 200, "Idempotent-Replayed: true", `{"msg":"m"}`, ""},
		{"POST", "/stock/add/7/1", 200, "Idempotent-Replayed: yes", `{"msg":"m"}`, "Idempotent-Replayed"},
		{"GET", "/nowhere", 404, "", problem("route-not-found", 404), ""},
		{"GET", "/nowhere", 404, "", problem("item-not-found", 404), "no route"},
		{"GET", "/orders/find/1", 200, "", `{"order_id":"1","paid":true,"items":["a"],"user_id":"u","total_cost":5,"status":"PAID","lines":[{"item_id":"a","quantity":1,"price":5}]}`, ""},
		{"GET", "/orders/find/1", 200, "", `{"order_id":"1","paid":true,"items":["a"],"user_id":"u","total_cost":5,"status":"SOLD","lines":[]}`, "status"},
	} {
		header := http.Header{"Content-Type": {"application/json"}, "X-Request-Id": {"r"}}
		if c.status >= 400 {
			header.Set("Content-Type", "application/problem+json")
		}
		for line := range strings.SplitSeq(c.headers, ", ") {
			if name, value, ok := strings.Cut(line, ": "); ok {
				header.Set(name, value)
			}
		}
		got := a.Flaw(c.method, c.path, c.status, header, c.body)
		if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s %s: %d %s %s: got %q, want %q", c.method, c.path, c.status, c.headers, c.body, got, c.want)
		}
	}
}

// The document is whole: every schema compiles, every example is of its schema, and every reference leads somewhere.
func TestDocument(t *testing.T) {
	t.Parallel()
	a := open(t)
	examples := 0
	a.document.Walk(func(place string, node map[string]any) {
		if ref, ok := node["$ref"].(string); ok && a.document.Resolve(node) == nil {
			t.Errorf("%s leads to %s, which is not there", place, ref)
		}
		schema, ok := node["schema"].(map[string]any)
		if !ok {
			return
		}
		ref := place + "/schema"
		if to, ok := schema["$ref"].(string); ok {
			ref = to
		}
		all := map[string]any{}
		if example, ok := node["example"]; ok {
			all["example"] = example
		}
		many, _ := node["examples"].(map[string]any)
		for name, example := range many {
			all[name] = a.document.Resolve(example)["value"]
		}
		for name, example := range all {
			examples++
			if err := a.validate(ref, example); err != nil {
				t.Errorf("%s: example %s: %v", place, name, err)
			}
		}
	})
	if examples < 80 {
		t.Errorf("only %d examples were found", examples)
	}
}

// The problem types of the document are those of the code, and nginx's own, each with its status and title.
func TestProblemTypes(t *testing.T) {
	t.Parallel()
	root, err := stack.Root()
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]string{} // "status title", by name
	for _, e := range api.Errors() {
		kinds[e.Name] = fmt.Sprint(web.Status(e), " ", e.Title)
	}
	source, err := os.ReadFile(filepath.Join(root, "nginx.conf"))
	if err != nil {
		t.Fatal(err)
	}
	pattern := regexp.MustCompile(`"type":"/problems/([a-z-]+)","title":"([^"]+)","status":(\d+)`)
	found := pattern.FindAllStringSubmatch(string(source), -1)
	if len(found) < 7 {
		t.Fatalf("found only %d problems in nginx.conf", len(found))
	}
	for _, problem := range found {
		name, is := problem[1], problem[3]+" "+problem[2]
		if other, ok := kinds[name]; ok && other != is && name != "unavailable" && name != "overloaded" {
			t.Errorf("%s is %q in package api and %q in nginx.conf", name, other, is)
		}
		kinds[name] = is
	}
	d, err := contract.Load()
	if err != nil {
		t.Fatal(err)
	}
	said := d.Examples()
	for name, is := range kinds {
		var p struct {
			Type, Title string
			Status      int
		}
		text, _ := json.Marshal(said[name])
		if json.Unmarshal(text, &p) != nil || fmt.Sprint(p.Status, " ", p.Title) != is && name != "unavailable" && name != "overloaded" || p.Type != "/problems/"+name {
			t.Errorf("%s is %q, and the document says %s", name, is, text)
		}
	}
	for _, name := range d.ProblemTypes() {
		if _, ok := kinds[strings.TrimPrefix(name, "/problems/")]; !ok {
			t.Errorf("the document knows %s, which there is not", name)
		}
	}
	if types := d.ProblemTypes(); len(types) != len(kinds) {
		t.Errorf("the document knows %d types of %d", len(types), len(kinds))
	}
}
