package stack_test

import (
	"debug/elf"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"checkout/test/stack"
)

// TestOnlyFaultsBuildsContainFailPoints checks that only a build with the tag faults has the code and the routes of
// fail points and clock offsets. These routes are on the internal port only.
func TestOnlyFaultsBuildsContainFailPoints(t *testing.T) {
	for _, c := range []struct {
		tags   string
		status int
	}{{"", http.StatusNotFound}, {"faults", http.StatusOK}} {
		bin, err := stack.Build(t.Context(), io.Discard, stack.Source{Tags: c.tags})
		must(t, err)
		s := start(t, stack.Config{Tags: c.tags})
		for _, service := range stack.Services() {
			for _, route := range []string{"/internal/failpoints", "/internal/clock"} {
				if status, body := request(t, "GET", s.InternalURLs(service)[0]+route, ""); status != c.status {
					t.Errorf("%s with tags %q: GET %s: got %d %s, want %d", service, c.tags, route, status, body, c.status)
				}
				if status, body := request(t, "GET", s.PublicURLs(service)[0]+route, ""); status != http.StatusNotFound {
					t.Errorf("%s with tags %q, public port: GET %s: got %d, want 404: %s", service, c.tags, route, status, body)
				}
			}
			symbols := symbolsOf(t, filepath.Join(bin, service))
			for _, name := range []string{"checkout/common/failpoint.", "checkout/common/clock."} {
				if got, want := strings.Contains(symbols, name), c.tags != ""; got != want {
					t.Errorf("%s with tags %q: has the symbol %s: got %t, want %t", service, c.tags, name, got, want)
				}
			}
			if !strings.Contains(symbols, "checkout/common/web.") {
				t.Errorf("%s contains no symbols of this project, want some", service)
			}
		}
	}
}

// symbolsOf returns the names of the symbols of a binary, one on each line.
func symbolsOf(t *testing.T, binary string) string {
	t.Helper()
	file, err := elf.Open(binary)
	must(t, err)
	defer file.Close()
	symbols, err := file.Symbols()
	must(t, err)
	var names strings.Builder
	for _, symbol := range symbols {
		names.WriteString(symbol.Name + "\n")
	}
	return names.String()
}

// TestFailPointsFire checks that each action of a fail point takes effect at a step of a checkout.
func TestFailPointsFire(t *testing.T) {
	s := start(t, stack.Config{Tags: "faults"})
	failpoints := s.InternalURLs("order")[0] + "/internal/failpoints"
	user := create(t, s, "/payment/create_user", "user_id")
	order := func() string { return create(t, s, "/orders/create/"+user, "order_id") }
	arm := func(about, action string) {
		t.Helper()
		fault := fmt.Sprintf(`{"point":"coordinator begin","about":%q,"action":%q,"pause_ms":60000}`, about, action)
		if status, body := request(t, "POST", failpoints, fault); status != http.StatusOK {
			t.Fatalf("arm the fail point: got %d %s, want 200", status, body)
		}
	}
	unknown := `{"point":"coordinator begin","action":"explode"}`
	if status, body := request(t, "POST", failpoints, unknown); status != http.StatusBadRequest {
		t.Errorf("unknown action: got %d %s, want 400", status, body)
	}

	lost, other := order(), order()
	arm(lost, "lose")
	for _, id := range []string{other, lost} { // begin makes an empty order PAID; it is retried if its reply is lost
		if status, body := request(t, "POST", s.Gateway()+"/orders/checkout/"+id, ""); status != http.StatusOK {
			t.Errorf("checkout of an empty order: got status %d, want 200: %s", status, body)
		}
	}
	if _, body := request(t, "GET", failpoints, ""); !strings.Contains(body, `"seen":1,"fired":true`) {
		t.Errorf("after a lost reply: the fail points are %s, want one that has fired", body)
	}
	request(t, "DELETE", failpoints, "")

	paused := order()
	arm(paused, "pause")
	received := make(chan int, 1)
	go func() {
		response, err := http.Post(s.Gateway()+"/orders/checkout/"+paused, "", nil)
		if err != nil {
			received <- 0
			return
		}
		response.Body.Close()
		received <- response.StatusCode
	}()
	eventually(t, "the checkout is paused", func() bool {
		_, body := request(t, "GET", failpoints, "")
		return strings.Contains(body, `"paused":true`)
	})
	select {
	case status := <-received:
		t.Errorf("paused checkout: got status %d, want no response yet", status)
	default:
	}
	request(t, "DELETE", failpoints, "")
	if status := <-received; status != http.StatusOK {
		t.Errorf("resumed checkout: got status %d, want 200", status)
	}

	arm("", "kill")
	if response, err := http.Post(s.PublicURLs("order")[0]+"/checkout/"+order(), "", nil); err == nil {
		response.Body.Close()
		t.Errorf("got status %d, want no response: the fail point kills the process", response.StatusCode)
	}
	if err := s.Wait(t.Context(), "order-1"); err == nil || err.Error() != "signal: killed" {
		t.Errorf("exit of order-1: got %v, want signal: killed", err)
	}
}

// TestClockOffsetShiftsNewIDs checks that an instance's clock offset appears in the timestamps of its new IDs.
func TestClockOffsetShiftsNewIDs(t *testing.T) {
	s := start(t, stack.Config{Tags: "faults", Env: map[string][]string{"payment": {"CLOCK_OFFSET=-1h"}}})
	clock := s.InternalURLs("payment")[0] + "/internal/clock"
	for _, offset := range []time.Duration{-time.Hour, 2 * time.Hour} {
		if offset > 0 { // CLOCK_OFFSET sets the first offset
			request(t, "POST", clock+"?offset="+offset.String(), "")
		}
		if _, body := request(t, "GET", clock, ""); strings.TrimSpace(body) != offset.String() {
			t.Errorf("offset %q, want %v", body, offset)
		}
		id := create(t, s, "/payment/create_user", "user_id")
		if got := mintedAt(id).Sub(time.Now().Add(offset)).Abs(); got > time.Minute {
			t.Errorf("offset %v: the timestamp of ID %s differs from the clock by %v", offset, id, got)
		}
	}
}

// mintedAt returns the timestamp of a UUIDv7.
func mintedAt(id string) time.Time {
	var ms int64
	for _, digit := range id[:8] + id[9:13] {
		ms = ms<<4 | int64(strings.IndexRune("0123456789abcdef", digit))
	}
	return time.UnixMilli(ms)
}
