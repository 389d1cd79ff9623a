package validator

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

func newValidator(t *testing.T) *Validator {
	t.Helper()
	v, err := New()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestViolation(t *testing.T) {
	t.Parallel()
	v := newValidator(t)
	problem := func(name string, status int) string {
		return fmt.Sprintf(`{"type":"/problems/%s","title":"t","status":%d,"request_id":"r"}`, name, status)
	}
	order := func(status, lines string) string {
		return fmt.Sprintf(`{"order_id":"1","paid":true,"items":["a"],"user_id":"u","total_cost":5,"status":%q,"lines":%s}`,
			status, lines)
	}
	for _, c := range []struct {
		method, path  string
		status        int
		headers, body string // headers have the form "A: b, C: d"
		want          string // part of the violation; empty: no violation
	}{
		{"GET", "/stock/find/7", 200, "", `{"item_id":"7","price":5,"stock":1}`, ""},
		{"GET", "//stock//find/7", 200, "", `{"item_id":"7","price":5,"stock":1}`, ""},
		{"GET", "/stock/find/7", 200, "", `{"item_id":"7","price":5,"stock":1,"a":"b"}`, "additional properties 'a'"},
		{"GET", "/stock/find/7", 200, "", `{"item_id":"7","price":5}`, "missing property 'stock'"},
		{"GET", "/stock/find/7", 200, "", `{"item_id":"7","price":"5","stock":1}`, "got string, want integer"},
		{"GET", "/stock/find/7", 200, "Content-Type: text/plain", `{"item_id":"7","price":5,"stock":1}`, "media type"},
		{"GET", "/stock/find/7", 200, "X-Request-Id: ", `{"item_id":"7","price":5,"stock":1}`, "X-Request-Id is missing"},
		{"GET", "/stock/find/7", 201, "", `{"item_id":"7","price":5,"stock":1}`, "status 201 is not a documented response"},
		{"GET", "/stock/look/7", 200, "", `{}`, "no operation"},
		{"GET", "/stock/find/7", 404, "", problem("item-not-found", 404), ""},
		{"GET", "/stock/find/7", 404, "", problem("order-not-found", 404), "order-not-found is not a documented"},
		{"GET", "/stock/find/7", 409, "", problem("insufficient-stock", 409), "is not a documented response"},
		{"GET", "/stock/find/7", 413, "", problem("payload-too-large", 413), ""},
		{"GET", "/stock/find/7", 404, "", `{"type":"/problems/item-not-found","title":"t","status":404}`,
			"missing property 'request_id'"},
		{"GET", "/stock/find/7", 503, "Retry-After: 1", problem("unavailable", 503), ""},
		{"GET", "/stock/find/7", 503, "", problem("unavailable", 503), "Retry-After is missing"},
		{"GET", "/stock/find/7", 503, "Retry-After: soon", problem("unavailable", 503), "Retry-After"},
		{"GET", "/stock/find/7", 429, `Retry-After: 1, RateLimit: "concurrency";r=0;t=1`, problem("overloaded", 429), ""},
		{"GET", "/stock/find/7", 429, "Retry-After: 1", problem("overloaded", 429), "RateLimit is missing"},
		{"GET", "/stock/find/7", 429, `Retry-After: 1, RateLimit: 1`, problem("overloaded", 429), "RateLimit"},
		{"GET", "/stock/find/7", 502, "", "<html>", "not a problem document"},
		{"POST", "/stock/add/7/1", 200, "Idempotent-Replayed: true", `{"msg":"m"}`, ""},
		{"POST", "/stock/add/7/1", 200, "Idempotent-Replayed: yes", `{"msg":"m"}`, "Idempotent-Replayed"},
		{"GET", "/nowhere", 404, "", problem("route-not-found", 404), ""},
		{"GET", "/nowhere", 404, "", problem("item-not-found", 404), "no operation"},
		{"GET", "/orders/find/1", 200, "", order("PAID", `[{"item_id":"a","quantity":1,"price":5}]`), ""},
		{"GET", "/orders/find/1", 200, "", order("SOLD", `[]`), "status"},
		{"GET", "/orders/find/1", 200, "", strings.Replace(order("PAID", `[]`), "5", "9007199254740992", 1), "maximum"},
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
		got := v.Violation(c.method, c.path, c.status, header, c.body)
		if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s %s: %d %s %s: got the violation %q, want %q",
				c.method, c.path, c.status, c.headers, c.body, got, c.want)
		}
	}
}

// TestDocumentIsConsistent checks that every reference has a target and that every example matches its schema.
func TestDocumentIsConsistent(t *testing.T) {
	t.Parallel()
	v := newValidator(t)
	examples := 0
	v.document.Walk(func(location string, node map[string]any) {
		if ref, ok := node["$ref"].(string); ok && v.document.Resolve(node) == nil {
			t.Errorf("%s refers to %s, which does not exist", location, ref)
		}
		schema, ok := node["schema"].(map[string]any)
		if !ok {
			return
		}
		ref := location + "/schema"
		if to, ok := schema["$ref"].(string); ok {
			ref = to
		}
		all := map[string]any{}
		if example, ok := node["example"]; ok {
			all["example"] = example
		}
		many, _ := node["examples"].(map[string]any)
		for name, example := range many {
			all[name] = v.document.Resolve(example)["value"]
		}
		for name, example := range all {
			examples++
			if err := v.validate(ref, example); err != nil {
				t.Errorf("%s: example %s: %v", location, name, err)
			}
		}
	})
	if examples < 80 {
		t.Errorf("found only %d examples, want at least 80", examples)
	}
}

// TestDocumentListsEveryProblemType checks that the document lists the problems in package api and nginx.conf, with the
// same statuses and titles.
func TestDocumentListsEveryProblemType(t *testing.T) {
	t.Parallel()
	root, err := stack.Root()
	if err != nil {
		t.Fatal(err)
	}
	problems := map[string]string{} // "status title", by name
	for _, e := range api.Errors() {
		problems[e.Name] = fmt.Sprint(web.Status(e), " ", e.Title)
	}
	source, err := os.ReadFile(filepath.Join(root, "nginx.conf"))
	if err != nil {
		t.Fatal(err)
	}
	pattern := regexp.MustCompile(`"type":"/problems/([a-z-]+)","title":"([^"]+)","status":(\d+)`)
	found := pattern.FindAllStringSubmatch(string(source), -1)
	if len(found) < 7 {
		t.Fatalf("found only %d problems in nginx.conf, want at least 7", len(found))
	}
	for _, problem := range found {
		name, got := problem[1], problem[3]+" "+problem[2]
		if other, ok := problems[name]; ok && other != got {
			t.Errorf("%s is %q in package api and %q in nginx.conf", name, other, got)
		}
		problems[name] = got
	}
	d, err := contract.Load()
	if err != nil {
		t.Fatal(err)
	}
	examples := d.Examples()
	for name, want := range problems {
		var p struct {
			Type, Title string
			Status      int
		}
		text, _ := json.Marshal(examples[name])
		if err := json.Unmarshal(text, &p); err != nil {
			t.Errorf("decode the example %s: %v", name, err)
		}
		got := fmt.Sprint(p.Status, " ", p.Title)
		if p.Type != "/problems/"+name || got != want {
			t.Errorf("openapi.json has the example %s, want the problem %s with status and title %q", text, name, want)
		}
	}
	for _, name := range d.ProblemTypes() {
		if _, ok := problems[strings.TrimPrefix(name, "/problems/")]; !ok {
			t.Errorf("openapi.json lists %s, which is neither in package api nor in nginx.conf", name)
		}
	}
	if types := d.ProblemTypes(); len(types) != len(problems) {
		t.Errorf("openapi.json lists %d problem types, want %d", len(types), len(problems))
	}
}
