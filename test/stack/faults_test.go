package stack_test

import (
	"encoding/json"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"checkout/test/stack"
)

// ask sends a request to a machine's internal door and returns the status and the body.
func ask(t *testing.T, method, url, body string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	must(t, err)
	response, err := http.DefaultClient.Do(request)
	must(t, err)
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	must(t, err)
	return response.StatusCode, string(answer)
}

// TestFailPointsAreOnlyInBuildsForThem: the services that people run have neither the routes nor one instruction of fail points, not
// so much as a call of a function that does nothing.
func TestFailPointsAreOnlyInBuildsForThem(t *testing.T) {
	for _, c := range []struct {
		tags   string
		status int
	}{{"", http.StatusNotFound}, {"faults", http.StatusOK}} {
		bin, err := stack.Build(t.Context(), io.Discard, stack.Source{Tags: c.tags})
		must(t, err)
		s := start(t, stack.Config{Tags: c.tags})
		for _, service := range stack.Services() {
			for _, route := range []string{"/internal/failpoints", "/internal/clock"} {
				if status, answer := ask(t, "GET", s.InternalURLs(service)[0]+route, ""); status != c.status {
					t.Errorf("%s with tags %q: GET %s is %d: %s", service, c.tags, route, status, answer)
				}
				if status, answer := ask(t, "GET", s.PublicURLs(service)[0]+route, ""); status != http.StatusNotFound {
					t.Errorf("%s with tags %q, public door: GET %s is %d: %s", service, c.tags, route, status, answer)
				}
			}
			symbols, err := exec.CommandContext(t.Context(), "go", "tool", "nm", filepath.Join(bin, service)).Output()
			must(t, err)
			for _, name := range []string{"checkout/common/failpoint.", "checkout/common/clock."} {
				if got, want := strings.Contains(string(symbols), name), c.tags != ""; got != want {
					t.Errorf("%s with tags %q: a symbol of %s: %v", service, c.tags, name, got)
				}
			}
			if !strings.Contains(string(symbols), "checkout/common/web.") {
				t.Errorf("%s: no symbol of this project was found at all", service)
			}
		}
	}
}

// TestAFailPointFires arms each action at a step of a checkout.
func TestAFailPointFires(t *testing.T) {
	s := start(t, stack.Config{Tags: "faults"})
	door := s.InternalURLs("order")[0] + "/internal/failpoints"
	var user struct {
		ID string `json:"user_id"`
	}
	_, answer := ask(t, "POST", s.Gateway()+"/payment/create_user", "")
	must(t, json.Unmarshal([]byte(answer), &user))
	order := func() string {
		var order struct {
			ID string `json:"order_id"`
		}
		_, answer := ask(t, "POST", s.Gateway()+"/orders/create/"+user.ID, "")
		must(t, json.Unmarshal([]byte(answer), &order))
		return order.ID
	}
	arm := func(about, action string) {
		t.Helper()
		if status, answer := ask(t, "POST", door, `{"point":"coordinator begin","about":"`+about+`","action":"`+action+`","pause_ms":60000}`); status != http.StatusOK {
			t.Fatalf("arming: %d %s", status, answer)
		}
	}
	if status, answer := ask(t, "POST", door, `{"point":"coordinator begin","action":"explode"}`); status != http.StatusBadRequest {
		t.Errorf("an action that there is not: %d %s", status, answer)
	}

	lost, other := order(), order()
	arm(lost, "lose")
	for _, id := range []string{other, lost} { // the coordinator asks once more: an empty order is paid at once
		if status, answer := ask(t, "POST", s.Gateway()+"/orders/checkout/"+id, ""); status != http.StatusOK {
			t.Errorf("checkout: %d %s", status, answer)
		}
	}
	if _, answer := ask(t, "GET", door, ""); !strings.Contains(answer, `"seen":1,"fired":true`) {
		t.Errorf("after a lost reply: %s", answer)
	}
	ask(t, "DELETE", door, "")

	paused := order()
	arm(paused, "pause")
	told := make(chan int, 1)
	go func() {
		response, err := http.Post(s.Gateway()+"/orders/checkout/"+paused, "", nil)
		if err != nil {
			told <- 0
			return
		}
		response.Body.Close()
		told <- response.StatusCode
	}()
	for until := time.Now().Add(deadline); ; time.Sleep(10 * time.Millisecond) {
		if _, answer := ask(t, "GET", door, ""); strings.Contains(answer, `"paused":true`) {
			break
		}
		if time.Now().After(until) {
			t.Fatal("nobody was paused")
		}
	}
	select {
	case status := <-told:
		t.Errorf("answered %d while paused", status)
	default:
	}
	ask(t, "DELETE", door, "")
	if status := <-told; status != http.StatusOK {
		t.Errorf("after a pause: %d", status)
	}

	arm("", "kill")
	if response, err := http.Post(s.PublicURLs("order")[0]+"/checkout/"+order(), "", nil); err == nil {
		response.Body.Close()
		t.Errorf("answered %d by a process that was to kill itself", response.StatusCode)
	}
	if err := s.Wait(t.Context(), "order-1"); err == nil || err.Error() != "signal: killed" {
		t.Errorf("after a kill: %v", err)
	}
}

// TestAClockIsSetWrong: the time in a new id is the machine's.
func TestAClockIsSetWrong(t *testing.T) {
	s := start(t, stack.Config{Tags: "faults", Env: map[string][]string{"payment": {"CLOCK_OFFSET=-1h"}}})
	for _, set := range []string{"-1h0m0s", "2h0m0s"} {
		door := s.InternalURLs("payment")[0] + "/internal/clock"
		if set != "-1h0m0s" {
			ask(t, "POST", door+"?offset="+set, "")
		}
		if _, answer := ask(t, "GET", door, ""); strings.TrimSpace(answer) != set {
			t.Errorf("the offset is %q, want %s", answer, set)
		}
		var user struct {
			ID string `json:"user_id"`
		}
		_, answer := ask(t, "POST", s.Gateway()+"/payment/create_user", "")
		must(t, json.Unmarshal([]byte(answer), &user))
		wrong, err := time.ParseDuration(set)
		must(t, err)
		if got := mintedAt(t, user.ID).Sub(time.Now().Add(wrong)).Abs(); got > time.Minute {
			t.Errorf("with an offset of %s, %s is %v off", set, user.ID, got)
		}
	}
}

func mintedAt(t *testing.T, id string) time.Time {
	t.Helper()
	var ms int64
	for _, digit := range id[:8] + id[9:13] {
		ms = ms<<4 | int64(strings.IndexRune("0123456789abcdef", digit))
	}
	return time.UnixMilli(ms)
}
