package participant

import (
	"context"
	"fmt"

	"github.com/gin-gonic/gin"

	"checkout/common/api"
	"checkout/common/failpoint"
	"checkout/common/web"
)

// The internal routes of a participant. Each route accepts a list of messages and returns a list of replies in the same
// order.
const (
	reservePath = "/internal/reserve"
	releasePath = "/internal/release"
	refundPath  = "/internal/refund"
	confirmPath = "/internal/confirm"
)

// Routes adds the participant's routes to the internal port.
func (res *Reservations) Routes(r gin.IRouter) {
	r.POST(reservePath, steps("reserve", res.Reserve))
	r.POST(releasePath, steps("release", res.Release))
	r.POST(refundPath, steps("refund", res.Refund))
	r.POST(confirmPath, web.JSON(func(c *gin.Context) ([]api.Done, error) {
		list, err := web.Entries[api.Confirmation](c, "confirmations")
		if err != nil {
			return nil, err
		}
		for _, c := range list {
			if c.Record == "" || !validTime(c.Until) {
				return nil, fmt.Errorf("invalid confirmation: record %q, until %d: %w", c.Record, c.Until, api.BadRequest)
			}
		}
		return handle(c, "confirm", list, res.Confirm), nil
	}))
}

// steps returns the handler of one step of the protocol.
func steps(name string, run func(context.Context, []api.Attempt) []api.Outcome) gin.HandlerFunc {
	return web.JSON(func(c *gin.Context) ([]api.Outcome, error) {
		attempts, err := web.Entries[api.Attempt](c, "attempts")
		if err != nil {
			return nil, err
		}
		if err := validate(attempts); err != nil {
			return nil, err
		}
		return handle(c, name, attempts, run), nil
	})
}

// handle runs a step for all messages in a request. The step continues even if the caller disconnects, because the
// messages belong to several client requests.
func handle[In, Out any](c *gin.Context, step string, list []In, run func(context.Context, []In) []Out) []Out {
	failpoint.ParticipantReached(list, step, "received")
	results := run(context.WithoutCancel(c.Request.Context()), list)
	failpoint.ParticipantReached(list, step, "done")
	return results
}
