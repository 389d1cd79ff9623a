package main

import (
	"context"
	"fmt"

	"github.com/gin-gonic/gin"

	"checkout/common/api"
	"checkout/common/idempotency"
	"checkout/common/web"
)

// paymentStatus is the answer to status.
type paymentStatus struct {
	Paid bool `json:"paid"`
}

func (s *server) pay(c *gin.Context, key *idempotency.Key) (api.Message, error) {
	amount, err := web.Amount(c, "amount_or_order_id")
	if err != nil {
		return api.Message{}, err
	}
	user := c.Param("user_id")
	if err := s.users.pay(c.Request.Context(), key, user, amount); err != nil {
		return api.Message{}, err
	}
	return api.Message{Msg: fmt.Sprintf("user %s paid %d", user, amount)}, nil
}

func (s *server) payOrder(c *gin.Context, key *idempotency.Key) (api.Message, error) {
	amount, err := web.Amount(c, "amount")
	if err != nil {
		return api.Message{}, err
	}
	user, order := c.Param("user_id"), c.Param("amount_or_order_id")
	if len(order) > api.MaxIDLength {
		return api.Message{}, fmt.Errorf("an order id of %d bytes: %w", len(order), api.BadRequest)
	}
	if err := s.users.payOrder(c.Request.Context(), key, user, order, amount); err != nil {
		return api.Message{}, err
	}
	return api.Message{Msg: fmt.Sprintf("user %s paid %d for order %s", user, amount, order)}, nil
}

func (s *server) cancel(c *gin.Context) (api.Message, error) {
	user, order := c.Param("user_id"), c.Param("order_id")
	if err := s.undo(c.Request.Context(), user, order); err != nil {
		return api.Message{}, err
	}
	return api.Message{Msg: fmt.Sprintf("what user %s paid for order %s was given back", user, order)}, nil
}

func (s *server) status(c *gin.Context) (paymentStatus, error) {
	paid, err := s.isPaid(c.Request.Context(), c.Param("user_id"), c.Param("order_id"))
	return paymentStatus{paid}, err
}

// undo gives back what the user paid for the order, by a direct payment, by a checkout, or by both.
//
// The direct payment comes first. It is the one step that can be refused (no such user, balance limit), and what can be refused
// must be so while nothing has been done. Its record stays in the user's direct payments, as given back, so that a repeat finds it and
// gives nothing twice. The order service comes second: its outcome can be unknown, but it cannot refuse, and it remembers as
// well. So after a 503 a repeat completes whatever is left, and then says 200.
func (s *server) undo(ctx context.Context, user, order string) error {
	direct, err := s.users.cancelPayment(ctx, user, order)
	if err != nil {
		return err
	}
	switch checkout := s.orders.undo(ctx, user, order); {
	case checkout == api.Cancelled:
		return nil
	case checkout != api.NotPaid && checkout != api.OrderMissing:
		return fmt.Errorf("order %s: %w", order, api.Unavailable)
	case direct:
		return nil
	case checkout == api.OrderMissing:
		return fmt.Errorf("order %s: %w", order, api.OrderNotFound)
	default:
		return fmt.Errorf("order %s, user %s: %w", order, user, api.NothingPaid)
	}
}

// isPaid tells whether the order is paid by a checkout of the user, or by a direct payment that was not given back.
func (s *server) isPaid(ctx context.Context, user, order string) (bool, error) {
	direct, err := s.users.payment(ctx, user, order)
	if err != nil || direct > 0 {
		return direct > 0, err
	}
	switch checkout := s.orders.paid(ctx, user, order); {
	case checkout == api.Paid:
		return true, nil
	case checkout == api.NotPaid || checkout == api.Cancelled:
		return false, nil
	case checkout != api.OrderMissing:
		return false, fmt.Errorf("order %s: %w", order, api.Unavailable)
	case direct < 0:
		return false, nil
	default:
		return false, fmt.Errorf("order %s: %w", order, api.OrderNotFound)
	}
}
