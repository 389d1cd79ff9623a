package main

import (
	"log/slog"
	"strings"
	"testing"

	"checkout/common/api"
	"checkout/common/service/servicetest"
	"checkout/common/web"
	"checkout/test/contract"
)

func TestRoutesAreDocumented(t *testing.T) {
	contract.CheckRoutes(t, definition.Name, servicetest.New(t, definition, 1).Public.Routes())
}

// An ID that is not UTF-8 or is too long is not stored.
func TestCreateRefusesUserIDsThatCannotBeStored(t *testing.T) {
	t.Parallel()
	s := servicetest.New(t, definition, 1)
	for _, user := range []string{"%ff", "a%c3", strings.Repeat("u", api.MaxIDLength+1)} {
		s.Refuse(t, "POST", "/create/"+user, api.BadRequest)
	}
	s.Want(t, "GET", "/list", `{"data":[],"has_more":false}`)
}

// Some internal routes handle all entries of a request at the same time. These routes limit the number of entries.
func TestInternalRequestsHaveLimitedEntries(t *testing.T) {
	t.Parallel()
	s := servicetest.New(t, definition, 1)
	body := "[" + strings.Repeat("{},", web.MaxEntries) + "{}]"
	for _, path := range []string{"/internal/payments", "/internal/cancel"} {
		if w := s.CallInternal("POST", path, body); w.Code != 400 {
			t.Errorf("%s with %d entries: got %d %s, want 400", path, web.MaxEntries+1, w.Code, w.Body)
		}
	}
}

// A checkout that gets 503 is logged with its order, its step and the cause.
func TestUnknownOutcomeOfACheckoutIsLogged(t *testing.T) {
	var log strings.Builder
	s := servicetest.New(t, definition, 1)
	const order = "01980c6e-0000-7000-8000-000000000000"
	s.Shards[0].Pause()
	previous := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	w := s.Call("POST", "/checkout/"+order)
	slog.SetDefault(previous)
	if w.Code != 503 {
		t.Fatalf("checkout: %d %s, want 503", w.Code, w.Body)
	}
	for line := range strings.Lines(log.String()) {
		if strings.Contains(line, `msg="request failed"`) && strings.Contains(line, "order="+order) &&
			strings.Contains(line, "step=begin") && strings.Contains(line, `cause="shard 0: `) {
			return
		}
	}
	t.Errorf("no line of the log has the order, the step \"begin\" and a cause in shard 0:\n%s", log.String())
}
