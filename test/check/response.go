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
	Status       int // 0: no HTTP response
	Header       http.Header
	Body         string
	Err          error
	Began, Ended time.Time
	mayFail      bool // no response is no violation
}

func (a Response) String() string {
	if a.Status == 0 {
		return fmt.Sprintf("no response: %v", a.Err)
	}
	return fmt.Sprintf("%d %s", a.Status, strings.TrimSpace(a.Body))
}

// OK reports whether the status is 200.
func (a Response) OK() bool { return a.Status == http.StatusOK }

// Refused reports whether the status is 4xx.
func (a Response) Refused() bool { return a.Status >= 400 && a.Status < 500 }

// Unknown reports whether the response leaves the outcome open: it is neither OK nor refused.
func (a Response) Unknown() bool { return !a.OK() && !a.Refused() }

// Problem returns the last part of a problem's type, or "".
func (a Response) Problem() string {
	var p struct{ Type string }
	if json.Unmarshal([]byte(a.Body), &p) != nil {
		return ""
	}
	return strings.TrimPrefix(p.Type, "/problems/")
}

// FormatViolation describes how the response breaks the format of all responses, or returns "".
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
		return fmt.Sprintf("%d with a wrong status, type or title in the body: %s", a.Status, a.Body)
	case retryLater(a.Status) && a.Header.Get("Retry-After") == "":
		return fmt.Sprintf("%d without Retry-After", a.Status)
	}
	return ""
}

func retryLater(status int) bool {
	return status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests
}

var idPattern = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

// Tally counts responses by status and problem, for a log.
func Tally(responses []Response) string {
	counts := map[string]int{}
	for _, a := range responses {
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

// Field returns a string in the body, or "".
func (a Response) Field(name string) string {
	var fields map[string]any
	if json.Unmarshal([]byte(a.Body), &fields) != nil {
		return ""
	}
	text, _ := fields[name].(string)
	return text
}
