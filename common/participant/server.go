package participant

import (
	"context"
	"fmt"

	"github.com/gin-gonic/gin"

	"checkout/common/api"
	"checkout/common/failpoint"
	"checkout/common/web"
)

// The internal routes of a participant. Each takes a list and answers with a list of the same length.
const (
	reservePath = "/internal/reserve"
	releasePath = "/internal/release"
	refundPath  = "/internal/refund"
	confirmPath = "/internal/confirm"
)

// maxBatch bounds the messages in one request.
const maxBatch = 1024

// Routes adds the participant's internal routes to the internal port.
func (s *Store) Routes(r gin.IRouter) {
	r.POST(reservePath, steps("reserve", s.Reserve))
	r.POST(releasePath, steps("release", s.Release))
	r.POST(refundPath, steps("refund", s.Refund))
	r.POST(confirmPath, web.JSON(func(c *gin.Context) ([]api.Done, error) {
		list, err := web.Body[[]api.Confirmation](c)
		if err != nil {
			return nil, err
		}
		if len(list) > maxBatch {
			return nil, fmt.Errorf("%d confirmations: %w", len(list), api.BadRequest)
		}
		for _, c := range list {
			if c.Record == "" || c.Until <= 0 {
				return nil, fmt.Errorf("record %q until %d: %w", c.Record, c.Until, api.BadRequest)
			}
		}
		return handle(c, "confirm", list, s.Confirm), nil
	}))
}

// steps serves one step of the protocol.
func steps(name string, run func(context.Context, []api.Attempt) []api.Outcome) gin.HandlerFunc {
	return web.JSON(func(c *gin.Context) ([]api.Outcome, error) {
		attempts, err := web.Body[[]api.Attempt](c)
		if err != nil {
			return nil, err
		}
		if len(attempts) > maxBatch {
			return nil, fmt.Errorf("%d attempts: %w", len(attempts), api.BadRequest)
		}
		if err := validate(attempts); err != nil {
			return nil, err
		}
		return handle(c, name, attempts, run), nil
	})
}

// handle does what a request asks for. A caller that leaves cancels nothing: other callers' messages may be in its list.
func handle[In, Out any](c *gin.Context, step string, list []In, run func(context.Context, []In) []Out) []Out {
	failpoint.ParticipantReached(list, step, "received")
	answers := run(context.WithoutCancel(c.Request.Context()), list)
	failpoint.ParticipantReached(list, step, "done")
	return answers
}
