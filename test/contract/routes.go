package contract

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
)

// prefixes are where the gateway puts the services.
var prefixes = map[string]string{"order": "/orders", "stock": "/stock", "payment": "/payment"}

var (
	ginParameter = regexp.MustCompile(`:[^/]+`)
	asset        = regexp.MustCompile(`^/assets/[^/]+$`)
)

// CheckRoutes compares the routes of a service's public door with what the document says of it.
func CheckRoutes(t *testing.T, service string, routes gin.RoutesInfo) {
	t.Helper()
	d, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	var has []string
	for _, r := range routes {
		address := prefixes[service] + ginParameter.ReplaceAllString(r.Path, "{}")
		if page, ok := strings.CutPrefix(r.Path, "/site"); ok { // nginx.conf maps them
			address = asset.ReplaceAllString(page, "/assets/{}")
		}
		has = append(has, r.Method+" "+address)
	}
	slices.Sort(has)
	has = slices.Compact(has)
	var says []string
	for _, route := range d.Routes() {
		_, address, _ := strings.Cut(route, " ")
		of := "order" // which carries the pages
		for other, prefix := range prefixes {
			if strings.HasPrefix(address, prefix+"/") {
				of = other
			}
		}
		if of == service {
			says = append(says, route)
		}
	}
	for _, route := range has {
		if !slices.Contains(says, route) {
			t.Errorf("the document does not say %s", route)
		}
	}
	for _, route := range says {
		if !slices.Contains(has, route) {
			t.Errorf("there is no %s, as the document says", route)
		}
	}
}
