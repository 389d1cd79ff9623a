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

// Response is the result of one request.
type Response struct {
	Status       int // 0 if there was no HTTP response
	Header       http.Header
	Body         string
	Err          error
	Began, Ended time.Time
	mayFail      bool // a missing response is not a violation
}

func (r Response) String() string {
	if r.Status == 0 {
		return fmt.Sprintf("no response: %v", r.Err)
	}
	return fmt.Sprintf("%d %s", r.Status, strings.TrimSpace(r.Body))
}

// OK reports whether the status is 200.
func (r Response) OK() bool { return r.Status == http.StatusOK }

// Refused reports whether the status is 4xx.
func (r Response) Refused() bool { return r.Status >= 400 && r.Status < 500 }

// Unknown reports whether the outcome is unknown, because the response is neither OK nor Refused.
func (r Response) Unknown() bool { return !r.OK() && !r.Refused() }

// Problem returns the name of the problem, for example "order-not-open". It returns "" if the body is not a problem.
func (r Response) Problem() string {
	var p struct{ Type string }
	if json.Unmarshal([]byte(r.Body), &p) != nil {
		return ""
	}
	return strings.TrimPrefix(p.Type, "/problems/")
}

// FormatViolation describes how the response violates the common format of all responses, or returns "".
func (r Response) FormatViolation() string {
	if r.Status == 0 {
		if r.mayFail {
			return ""
		}
		return r.String()
	}
	media, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	if r.OK() {
		if media != "application/json" || !json.Valid([]byte(r.Body)) {
			return fmt.Sprintf("200 with Content-Type %q: %s", media, r.Body)
		}
		return ""
	}
	var p struct {
		Type, Title string
		Status      int
	}
	switch {
	case !r.Refused() && r.Status != http.StatusServiceUnavailable:
		return fmt.Sprintf("status is not 200, 4xx or 503: %v", r)
	case media != "application/problem+json" || json.Unmarshal([]byte(r.Body), &p) != nil:
		return fmt.Sprintf("%d with Content-Type %q: %s", r.Status, media, r.Body)
	case p.Status != r.Status || !strings.HasPrefix(p.Type, "/problems/") || p.Title == "":
		return fmt.Sprintf("%d with a wrong status, type or title in the body: %s", r.Status, r.Body)
	case retryLater(r.Status) && r.Header.Get("Retry-After") == "":
		return fmt.Sprintf("%d without Retry-After", r.Status)
	}
	return ""
}

func retryLater(status int) bool {
	return status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests
}

var idPattern = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

// Tally formats the number of responses by status and problem, and for unknown outcomes also by detail.
func Tally(responses []Response) string {
	counts := map[string]int{}
	for _, r := range responses {
		kind := strconv.Itoa(r.Status) + " " + r.Problem()
		if r.Unknown() {
			kind += " (" + idPattern.ReplaceAllString(r.Field("detail"), "…") + ")"
		}
		counts[kind]++
	}
	return strings.TrimPrefix(fmt.Sprint(counts), "map")
}

// Number returns the number with the given name from the JSON body. It returns false if the body has no such number.
func (r Response) Number(name string) (n int64, ok bool) {
	var fields map[string]any
	if json.Unmarshal([]byte(r.Body), &fields) != nil {
		return 0, false
	}
	number, ok := fields[name].(float64)
	return int64(number), ok
}

// Field returns the string with the given name from the JSON body. It returns "" if the body has no such string.
func (r Response) Field(name string) string {
	var fields map[string]any
	if json.Unmarshal([]byte(r.Body), &fields) != nil {
		return ""
	}
	text, _ := fields[name].(string)
	return text
}
