package contract

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
)

// prefixes are the public path prefixes of the services.
var prefixes = map[string]string{"order": "/orders", "stock": "/stock", "payment": "/payment"}

var (
	ginParameter = regexp.MustCompile(`:[^/]+`)
	asset        = regexp.MustCompile(`^/assets/[^/]+$`)
	problem      = regexp.MustCompile(`^/problems/[^/]+$`)
)

// CheckRoutes compares the public routes of a service with the document. The document must list each route except the
// HEAD routes, and no other route of the service. There must be a HEAD route for each GET route.
func CheckRoutes(t *testing.T, service string, routes gin.RoutesInfo) {
	t.Helper()
	d, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	var registered []string
	for _, r := range routes {
		isHead := func(other gin.RouteInfo) bool { return other.Method == "HEAD" && other.Path == r.Path }
		if r.Method == "GET" && !slices.ContainsFunc(routes, isHead) {
			t.Errorf("no HEAD route for GET %s", r.Path)
		}
		if r.Method == "HEAD" {
			continue
		}
		path := prefixes[service] + ginParameter.ReplaceAllString(r.Path, "{}")
		if page, ok := strings.CutPrefix(r.Path, "/site"); ok { // the gateway serves these pages at other paths
			path = problem.ReplaceAllString(asset.ReplaceAllString(page, "/assets/{}"), "/problems/{}")
		} else {
			path = strings.TrimSuffix(path, "/")
		}
		registered = append(registered, r.Method+" "+path)
	}
	slices.Sort(registered)
	registered = slices.Compact(registered)
	var documented []string
	for _, route := range d.Routes() {
		_, path, _ := strings.Cut(route, " ")
		owner := "order" // a path without a prefix belongs to the site, which order serves
		for other, prefix := range prefixes {
			if strings.HasPrefix(path+"/", prefix+"/") {
				owner = other
			}
		}
		if owner == service {
			documented = append(documented, route)
		}
	}
	for _, route := range registered {
		if !slices.Contains(documented, route) {
			t.Errorf("openapi.json lacks the route %s", route)
		}
	}
	for _, route := range documented {
		if !slices.Contains(registered, route) {
			t.Errorf("%s lacks the documented route %s", service, route)
		}
	}
}
