package stack_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"checkout/common/api"
	"checkout/common/web"
	"checkout/test/contract"
	"checkout/test/stack"
)

// hostileSegments are IDs that are more or less than one segment of a path, or have characters that nginx
// decodes.
var hostileSegments = []string{
	"..", ".", "%2e%2e", "%2E%2e", ".%2e", "%2e", "a%2fb", "%2F", "..%2f..", "%2e%2e%2fx", "a/../b", "a/./b", "../..",
	"..?x", "%2e%2e?x=//", "a#b", "a//b", "a//", "/", "",
}

// dotSegments are ends of paths that contain a segment "." or "..", plain or encoded. nginx would remove this segment
// and, with "..", also the segment before it.
var dotSegments = []string{"..", ".", "%2e%2e", ".%2E", "%2e", "../x", "%2E%2e/find/5", "./x", "x/..", "..?x", "..#x"}

// TestGatewayNeverChangesTheRoute checks that a request with a hostile ID never reaches another route. The response is
// 404: an object is not found, or the route is not found. In the second case, the response quotes the path.
func TestGatewayNeverChangesTheRoute(t *testing.T) {
	s := start(t, stack.Config{})
	d, err := contract.Load()
	must(t, err)
	parameter := regexp.MustCompile(`\{\}`)
	checked := 0
	mustNotRoute := func(method, target string, about bool) {
		t.Helper()
		checkNotRouted(t, s, method, target, about)
		checked++
	}
	for _, target := range []string{ // a slash or the name of the route is encoded
		"/payment/p%61y/5//50", "/payment/pay%2F5%2F%2F50", "/payment%2fpay/5/50", "/orders/addIte%6D/5//5",
		"/orders/checkout%2F5", "/orders/%63heckout/..%2f5", "/stock/s%75btract/5//5",
	} {
		mustNotRoute("POST", target, false)
	}
	for _, route := range d.Routes() {
		method, path, _ := strings.Cut(route, " ")
		if !regexp.MustCompile("^/(orders|stock|payment)/.*{}").MatchString(path) {
			continue
		}
		for _, at := range parameter.FindAllStringIndex(path, -1) {
			for _, id := range hostileSegments {
				prefix, suffix := strings.ReplaceAll(path[:at[0]], "{}", "5"), strings.ReplaceAll(path[at[1]:], "{}", "5")
				target := prefix + id + suffix
				mustNotRoute(method, target, true)
			}
		}
	}
	if checked < 500 {
		t.Errorf("checked only %d paths, want at least 500", checked)
	}
}

// checkNotRouted checks that a request gets 404 and that the response quotes the path, at least up to a "#". If the
// argument "about" is true, the response may instead say that an object is not found.
func checkNotRouted(t *testing.T, s *stack.Stack, method, target string, about bool) {
	t.Helper()
	resp, body := send(t, s, method+" "+target+" HTTP/1.1\r\nHost: x\r\n\r\n")
	var p api.Problem
	err := json.Unmarshal(body, &p)
	sent, _, _ := strings.Cut(target, "?")
	shown, _, _ := strings.Cut(sent, "#")
	quoted := strings.Contains(p.Detail, sent) || strings.Contains(p.Detail, shown)
	whole := p.Type == api.RouteNotFound.Type() && quoted
	about = about && strings.HasSuffix(p.Type, "-not-found") && p.Type != api.RouteNotFound.Type()
	if err != nil || resp.StatusCode != http.StatusNotFound || !whole && !about {
		t.Errorf("%s %s: got %s %s, want 404 that quotes the path or reports the ID as not found",
			method, target, resp.Status, body)
	}
}

// TestGatewayRejectsDotSegments checks that a path gets 404 if a segment "." or ".." follows a word of a route, such as
// "find". nginx.conf lists these words. The test takes them from openapi.json, so that it detects a word that is
// missing in nginx.conf.
func TestGatewayRejectsDotSegments(t *testing.T) {
	s := start(t, stack.Config{})
	d, err := contract.Load()
	must(t, err)
	checked := map[string]bool{}
	for _, route := range d.Routes() {
		method, path, _ := strings.Cut(route, " ")
		prefix := ""
		for name := range strings.SplitSeq(strings.TrimPrefix(path, "/"), "/") {
			prefix += "/" + strings.ReplaceAll(name, "{}", "5")
			before := method + " " + prefix
			if name == "" || slices.Contains([]string{"/orders", "/stock", "/payment"}, prefix) || checked[before] {
				continue
			}
			checked[before] = true
			for _, dots := range dotSegments {
				checkNotRouted(t, s, method, prefix+"/"+dots, false)
			}
		}
	}
	if len(checked) < 40 {
		t.Errorf("checked only %d beginnings of paths, want at least 40", len(checked))
	}
}

// TestGatewayAcceptsHarmlessSpellings checks that queries and unusual spellings outside of IDs still work.
func TestGatewayAcceptsHarmlessSpellings(t *testing.T) {
	s := start(t, stack.Config{})
	user := create(t, s, "/payment/create_user", "user_id")
	for _, path := range []string{
		"/payment/find_user/%s", "//payment//find_user/%s", "/./payment/./find_user/%s", "/orders/../payment/find_user/%s",
		"/payment/find_user/%s?x=/../&y=%%2f#//", "/payment/%%66ind_user/%s", "/payment/find_user//%s",
	} {
		path := fmt.Sprintf(path, user)
		resp, body := send(t, s, "GET "+path+" HTTP/1.1\r\nHost: x\r\n\r\n")
		if resp.StatusCode != http.StatusOK || !strings.Contains(string(body), user) {
			t.Errorf("GET %s: got %s %s, want 200 and the user", path, resp.Status, body)
		}
	}
}

// TestGatewayPassesHeadAndOptions checks every GET route and page with HEAD, and every path with OPTIONS.
func TestGatewayPassesHeadAndOptions(t *testing.T) {
	s := start(t, stack.Config{})
	d, err := contract.Load()
	must(t, err)
	methods := map[string][]string{} // by path
	for _, route := range d.Routes() {
		method, path, _ := strings.Cut(route, " ")
		path = strings.ReplaceAll(path, "/assets/{}", "/assets/docs.js")
		path = strings.ReplaceAll(path, "/problems/{}", "/problems/overloaded")
		path = strings.ReplaceAll(path, "{}", "5")
		methods[path] = append(methods[path], method)
	}
	for path, allowed := range methods {
		end := " HTTP/1.1\r\nHost: x\r\nX-Request-Id: a\r\n\r\n" // a fixed ID, because the body contains the ID
		options, _ := send(t, s, "OPTIONS "+path+end)
		listed := strings.Split(options.Header.Get("Allow"), ", ")
		want := append(slices.Clone(allowed), "OPTIONS")
		if slices.Contains(allowed, "GET") {
			want = append(want, "HEAD")
			get, body := send(t, s, "GET "+path+end)
			head, nothing := send(t, s, "HEAD "+path+end)
			overview := strings.Contains(path, "/overview") // the length can differ between GET and HEAD
			if head.StatusCode != get.StatusCode || len(nothing) != 0 || head.Header.Get("ETag") != get.Header.Get("ETag") ||
				head.Header.Get("Cache-Control") != get.Header.Get("Cache-Control") ||
				head.Header.Get("Content-Type") != get.Header.Get("Content-Type") ||
				get.ContentLength != int64(len(body)) || head.ContentLength != get.ContentLength && !overview {
				t.Errorf("%s: got GET %s %v, HEAD %s %v %s; want equal headers, and no body with HEAD",
					path, get.Status, get.Header, head.Status, head.Header, nothing)
			}
		}
		slices.Sort(listed)
		slices.Sort(want)
		if options.StatusCode != http.StatusNoContent || !slices.Equal(listed, want) {
			t.Errorf("OPTIONS %s: got %s with Allow %q, want 204 with Allow %q", path, options.Status, listed, want)
		}
	}
	for _, path := range []string{"/none", "/orders/none", "/assets", "/internal/reserve"} {
		resp, body := send(t, s, "HEAD "+path+" HTTP/1.1\r\nHost: x\r\n\r\n")
		if resp.StatusCode != http.StatusNotFound || len(body) != 0 || resp.ContentLength <= 0 {
			t.Errorf("HEAD %s: got %s %v %s, want 404 without a body", path, resp.Status, resp.Header, body)
		}
	}
}

// TestProblemTypesResolve checks that the type of each problem in package api is the path of a page with the name of
// the problem, and that nginx.conf contains only problems of package api.
func TestProblemTypesResolve(t *testing.T) {
	s := start(t, stack.Config{})
	for _, e := range api.Errors() {
		status, page := request(t, "GET", s.Gateway()+e.Type(), "")
		if status != http.StatusOK || !strings.Contains(page, "<h1>"+e.Name+"</h1>") {
			t.Errorf("page %s: got %d %s, want 200 and the heading %s", e.Type(), status, page, e.Name)
		}
	}
	root, err := stack.Root()
	must(t, err)
	config, err := os.ReadFile(filepath.Join(root, "nginx.conf"))
	must(t, err)
	problems := regexp.MustCompile(`return (\d+) '(\{.*\})\\n'`).FindAllSubmatch(config, -1)
	for _, found := range problems {
		var p api.Problem
		must(t, json.Unmarshal(found[2], &p))
		known := slices.ContainsFunc(api.Errors(), func(e *api.Error) bool {
			status := web.Status(e)
			return e.Type() == p.Type && e.Title == p.Title && status == p.Status && fmt.Sprint(status) == string(found[1])
		})
		if !known {
			t.Errorf("nginx.conf has the unknown problem %s", found[2])
		}
	}
	if len(problems) < 8 {
		t.Errorf("nginx.conf has %d problems, want at least 8", len(problems))
	}
}
