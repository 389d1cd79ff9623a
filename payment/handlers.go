package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/gin-gonic/gin"

	"checkout/common/api"
	"checkout/common/failpoint"
	"checkout/common/idempotency"
	"checkout/common/list"
	"checkout/common/web"
)

// The type "created" is the response of the route "create_user".
type created struct {
	UserID string `json:"user_id"`
}

// The type "funded" is the response of the route "add_funds".
type funded struct {
	Done bool `json:"done"`
}

// paymentStatus is the response of the route "status".
type paymentStatus struct {
	Paid bool `json:"paid"`
}

func (h *handlers) create(c *gin.Context, key *idempotency.Key) (created, error) {
	id, err := h.users.Create(c.Request.Context(), key)
	return created{id}, err
}

func (h *handlers) find(c *gin.Context) (api.User, error) {
	return h.users.find(c.Request.Context(), c.Param("user_id"))
}

func (h *handlers) list(c *gin.Context) (api.List[api.User], error) {
	page, err := web.Page(c, list.IsID)
	if err != nil {
		return api.List[api.User]{}, err
	}
	return h.users.list(c.Request.Context(), page)
}

func (h *handlers) addFunds(c *gin.Context, key *idempotency.Key) (funded, error) {
	amount, err := web.Amount(c, "amount")
	if err != nil {
		return funded{}, err
	}
	if err := h.users.Add(c.Request.Context(), key, c.Param("user_id"), amount); err != nil {
		return funded{}, err
	}
	return funded{true}, nil
}

func (h *handlers) pay(c *gin.Context, key *idempotency.Key) (api.Message, error) {
	amount, err := web.Amount(c, "amount_or_order_id")
	if err != nil {
		return api.Message{}, err
	}
	user := c.Param("user_id")
	if err := h.users.Subtract(c.Request.Context(), key, user, amount); err != nil {
		return api.Message{}, err
	}
	return api.Message{Msg: fmt.Sprintf("user %s paid %d", user, amount)}, nil
}

func (h *handlers) payOrder(c *gin.Context, key *idempotency.Key) (api.Message, error) {
	amount, err := web.Amount(c, "amount")
	if err != nil {
		return api.Message{}, err
	}
	user, order := c.Param("user_id"), c.Param("amount_or_order_id")
	if err := web.CheckID("order ID", order); err != nil {
		return api.Message{}, err
	}
	if err := h.payDirectly(c.Request.Context(), key, user, order, amount); err != nil {
		return api.Message{}, err
	}
	return api.Message{Msg: fmt.Sprintf("user %s paid %d for order %s", user, amount, order)}, nil
}

func (h *handlers) cancel(c *gin.Context) (api.Message, error) {
	user, order := c.Param("user_id"), c.Param("order_id")
	if err := h.undo(c.Request.Context(), user, order); err != nil {
		return api.Message{}, err
	}
	return api.Message{Msg: fmt.Sprintf("refunded what user %s paid for order %s", user, order)}, nil
}

func (h *handlers) status(c *gin.Context) (paymentStatus, error) {
	paid, err := h.isPaid(c.Request.Context(), c.Param("user_id"), c.Param("order_id"))
	return paymentStatus{paid}, err
}

func (h *handlers) initBatch(c *gin.Context) (api.Message, error) {
	if !h.batchInit {
		return api.Message{}, api.BatchDisabled
	}
	n, err := web.Count(c, "n", 1, int64(h.Config.BatchLimit))
	if err != nil {
		return api.Message{}, err
	}
	credit, err := web.Price(c, "starting_money") // unlike web.Amount, web.Price accepts 0
	if err != nil {
		return api.Message{}, err
	}
	if err := h.users.BatchInit(c.Request.Context(), n, credit, nil, directPrefix, indexPrefix); err != nil {
		return api.Message{}, err
	}
	return api.Message{Msg: "Batch init for users successful"}, nil
}

// payTries is the largest number of times that payDirectly starts one payment. payDirectly starts the payment again
// after it has expired, or after another request for the same payment has stopped it.
const payTries = 4

// payDirectly pays for an order outside of a checkout. A payment for an order that does not exist is allowed. An order
// is never paid both directly and by a checkout of the same user:
//   - startPayment prevents new reservations of the user's credit for the order, until the payment expires.
//   - payable then checks that the order is OPEN or does not exist, so no earlier attempt holds credit.
//   - payOrder subtracts nothing if the payment has expired.
func (h *handlers) payDirectly(
	ctx context.Context, key *idempotency.Key, user, order string, amount int64,
) error {
	for range payTries {
		token, err := h.users.startPayment(ctx, user, order)
		if err != nil {
			return err
		}
		if token != "" {
			if err := h.orders.payable(ctx, user, order); err != nil {
				h.users.stopPayment(context.WithoutCancel(ctx), user, order, token)
				return h.firstReply(ctx, key, user, order, amount, err)
			}
			failpoint.ParticipantReached(user, "pay", "checked")
		}
		err = h.users.payOrder(ctx, key, user, order, amount, token)
		if err != nil && token != "" && !errors.Is(err, errLost) {
			h.users.stopPayment(context.WithoutCancel(ctx), user, order, token) // changes nothing if the payment was made
		}
		if !errors.Is(err, errLost) {
			return err
		}
	}
	return fmt.Errorf("user %s, order %s: %w", user, order, errLost)
}

// firstReply returns the result of a payment that must not be made now. The parameter err is the reason. If the request
// has no idempotency key, firstReply returns err. Otherwise, it returns the first of these that exists:
//   - the stored result of the first request with this key
//   - the result for a direct payment that was made or refunded meanwhile
//   - err
func (h *handlers) firstReply(
	ctx context.Context, key *idempotency.Key, user, order string, amount int64, err error,
) error {
	if key == nil {
		return err
	}
	if first := h.users.payOrder(ctx, key, user, order, amount, ""); !errors.Is(first, errLost) {
		return first
	}
	return err
}

// undo refunds the user's direct payment for the order, the user's checkout of the order, or both.
//
// undo refunds the direct payment first, because that refund can be rejected (no such user, balance limit), and a
// rejected request must not change anything. After that, the order service cancels the checkout. A missing checkout is
// an error only if there was no direct payment either. Each of the two refunds happens only once, so the client can
// retry after a 503.
func (h *handlers) undo(ctx context.Context, user, order string) error {
	direct, err := h.users.returnPayment(ctx, user, order)
	if err != nil {
		return err
	}
	switch checkout := h.orders.undo(ctx, user, order); {
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

// isPaid reports whether the order is paid: by a checkout of the user, or by a direct payment that was not refunded.
func (h *handlers) isPaid(ctx context.Context, user, order string) (bool, error) {
	direct, err := h.users.directPayment(ctx, user, order)
	if err != nil || direct > 0 {
		return direct > 0, err
	}
	switch checkout := h.orders.payment(ctx, user, order); {
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
