package check

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Answer is what a client got for one request.
type Response struct {
	Status       int // 0: nothing that is HTTP
	Header       http.Header
	Body         string
	Err          error
	Began, Ended time.Time
	mayFail      bool // none was to be expected
}

func (a Response) String() string {
	if a.Status == 0 {
		return fmt.Sprintf("no answer: %v", a.Err)
	}
	return fmt.Sprintf("%d %s", a.Status, strings.TrimSpace(a.Body))
}

// OK tells a 200.
func (a Response) OK() bool { return a.Status == http.StatusOK }

// Refused tells a 4xx.
func (a Response) Refused() bool { return a.Status >= 400 && a.Status < 500 }

// Unknown tells what is neither.
func (a Response) Unknown() bool { return !a.OK() && !a.Refused() }

// Problem is the last part of the type of a problem, and empty for anything else.
func (a Response) Problem() string {
	var p struct{ Type string }
	if json.Unmarshal([]byte(a.Body), &p) != nil {
		return ""
	}
	return strings.TrimPrefix(p.Type, "/problems/")
}

// Flaw tells how an answer breaks the form that every answer has, whatever it says.
func (a Response) FormatViolation() string {
	if a.Status == 0 {
		if a.mayFail {
			return ""
		}
		return a.String()
	}
	media, _, _ := strings.Cut(a.Header.Get("Content-Type"), ";")
	if a.OK() {
		if media != "application/json" || !json.Valid([]byte(a.Body)) {
			return fmt.Sprintf("200 as %q: %s", media, a.Body)
		}
		return ""
	}
	var p struct {
		Type, Title string
		Status      int
	}
	switch {
	case !a.Refused() && a.Status != http.StatusServiceUnavailable:
		return fmt.Sprintf("neither 200 nor 4xx nor 503: %v", a)
	case media != "application/problem+json" || json.Unmarshal([]byte(a.Body), &p) != nil:
		return fmt.Sprintf("%d as %q: %s", a.Status, media, a.Body)
	case p.Status != a.Status || !strings.HasPrefix(p.Type, "/problems/") || p.Title == "":
		return fmt.Sprintf("%d says of itself: %s", a.Status, a.Body)
	case (a.Status == http.StatusServiceUnavailable || a.Status == http.StatusTooManyRequests) && a.Header.Get("Retry-After") == "":
		return fmt.Sprintf("%d without Retry-After", a.Status)
	}
	return ""
}

var idPattern = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

// Tally counts answers by status and problem, for a log.
func Tally(answers []Response) string {
	counts := map[string]int{}
	for _, a := range answers {
		kind := strconv.Itoa(a.Status) + " " + a.Problem()
		if a.Unknown() {
			kind += " (" + idPattern.ReplaceAllString(a.Field("detail"), "…") + ")"
		}
		counts[kind]++
	}
	return strings.TrimPrefix(fmt.Sprint(counts), "map")
}

// Number returns a number in the body.
func (a Response) Number(name string) (n int64, ok bool) {
	var fields map[string]any
	if json.Unmarshal([]byte(a.Body), &fields) != nil {
		return 0, false
	}
	number, ok := fields[name].(float64)
	return int64(number), ok
}

// Field is a text in the body of an answer.
func (a Response) Field(name string) string {
	var fields map[string]any
	if json.Unmarshal([]byte(a.Body), &fields) != nil {
		return ""
	}
	text, _ := fields[name].(string)
	return text
}
