package participant

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"checkout/common/api"
	"checkout/common/web"
)

// FuzzSteps sends arbitrary request bodies. It checks that a step runs only for attempts that a coordinator may send.
func FuzzSteps(f *testing.F) {
	for _, body := range []string{
		`[{"id":"a","until":1790000000000,"lines":[{"id":"x","n":1}]}]`,
		`[{"id":"a","until":1,"lines":[{"id":"x","n":-1}]}]`, `[]`, `null`,
		`[{"id":"a","until":1,"lines":[{"id":"x","n":1},{"id":"x","n":1}]}]`, `[{"id":"","until":1,"lines":[]}]`,
		`[{"id":"}\r\n*1\r\n","until":9223372036854775807,"lines":[{"id":"\u0000{s1}","n":9007199254740991}]}]`,
		`[{"until":1e3}]`, `{`,
	} {
		f.Add(body)
	}
	gin.SetMode(gin.TestMode)
	f.Fuzz(func(t *testing.T, body string) {
		ran := 0
		engine := gin.New()
		engine.POST("/", steps("reserve", func(_ context.Context, attempts []api.Attempt) []api.Outcome {
			ran++
			if len(attempts) > web.MaxEntries {
				t.Errorf("the step runs for %d attempts, more than the limit", len(attempts))
			}
			for _, a := range attempts {
				if a.ID == "" || len(a.ID) > api.MaxIDLength || a.Until <= 0 || a.Until > api.MaxTime ||
					len(a.Lines) == 0 || len(a.Lines) > api.MaxItems {
					t.Errorf("the step runs for the invalid attempt %+v", a)
				}
				seen := map[string]bool{}
				for _, line := range a.Lines {
					if line.Quantity < 0 || line.Quantity > api.MaxBalance || seen[line.ID] {
						t.Errorf("the step runs for the invalid attempt %+v", a)
					}
					seen[line.ID] = true
				}
			}
			return make([]api.Outcome, len(attempts))
		}))
		w := httptest.NewRecorder()
		engine.ServeHTTP(w, httptest.NewRequest("POST", "/", strings.NewReader(body)))
		if w.Code != 200 && w.Code != 400 || (w.Code == 200) != (ran == 1) {
			t.Errorf("%q: got status %d and %d runs, want 200 and one, or 400 and none", body, w.Code, ran)
		}
	})
}
