package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"checkout/test/check"
)

// The drills. Each brings about one turn of events that the protocol is made for; what it must not lead to is told by the checkers.
var (
	// sold: nothing goes wrong.
	sold = &drill{"a checkout", func(ctx context.Context, s *stage) error { return s.whole(ctx, sells) }}

	// refusedByStock: one shard of stock has reserved when the other refuses.
	refusedByStock = &drill{"a checkout that stock refuses", func(ctx context.Context, s *stage) error { return s.whole(ctx, noStock) }}

	// calledOff: a paid order is cancelled.
	calledOff = &drill{"a cancel", func(ctx context.Context, s *stage) error { return s.whole(ctx, cancels) }}

	// lateReserve: a reserve is under way when its coordinator dies, and arrives when recovery has closed the attempt.
	lateReserve = &drill{"a reserve that arrives after the close", func(ctx context.Context, s *stage) error {
		return s.lateReserve(ctx, func(*basket) error { return nil })
	}}

	// veryLateReserve: likewise, and arrives when even the tombstone has ended.
	veryLateReserve = &drill{"a reserve that arrives after the tombstone's end", func(ctx context.Context, s *stage) error {
		return s.lateReserve(ctx, func(b *basket) error { return s.recordGone(ctx, b, "") })
	}}

	// refusedTwice: a reserve is refused; its duplicate arrives when the user has the credit.
	refusedTwice = &drill{"a duplicate of a refused reserve, when there is credit", playRefusedTwice}

	// replyLost: the reply of a reserve that has left too little for another is lost.
	replyLost = &drill{"a reserve whose reply is lost", func(ctx context.Context, s *stage) error {
		c, err := s.catch(ctx, sells, loseAt, "payment: participant reserve done")
		if err == nil {
			<-c.answered
		}
		return err
	}}

	// orphaned: the coordinator dies when everything is reserved, and all order machines stay away for a while.
	orphaned = &drill{"a coordinator that dies before the commit, and is away for a while", playOrphaned}

	// overtaken: a coordinator sleeps before its commit, until recovery gives its attempt up, and wakes up when that is about to
	// release the credit.
	overtaken = &drill{"a coordinator that wakes up while recovery releases", playOvertaken}

	// overtaking: recovery has claimed an attempt, and sleeps; its coordinator wakes up and commits.
	overtaking = &drill{"a coordinator that commits what recovery has claimed", playOvertaking}

	// superseded: a coordinator sleeps before its commit; its attempt is closed and another one begun; it wakes up, and the other
	// coordinator dies.
	superseded = &drill{"a commit after another attempt has begun", playSuperseded}

	// slowRelease: the release of the credit takes a while.
	slowRelease = &drill{"a checkout that stock refuses, and whose credit is released late", func(ctx context.Context, s *stage) error {
		c, err := s.catch(ctx, noStock, pauseAt, "payment: participant release received")
		if err != nil {
			return err
		}
		<-c.answered
		return s.goOn(ctx, c.points[0])
	}}

	// betweenReleases: somebody looks between the releases of stock and of credit.
	betweenReleases = &drill{"a look between the releases", playBetweenReleases}

	// lateBegin: a begin arrives once more when its attempt and the next one are closed.
	lateBegin = &drill{"a duplicate of a begin, after the next attempt was closed", playLateBegin}

	// lateRefund: a refund is repeated because it takes long; the first message arrives when the record is gone.
	lateRefund = &drill{"a refund that arrives when its record has ended", playLateRefund}

	// lateCancelled: a worker sleeps before it ends a cancellation, which another one ends; the order is made anew, paid and cancelled
	// again; the worker wakes up, and whoever works on the second cancellation dies.
	lateCancelled = &drill{"a late end of an earlier cancellation", playLateCancelled}

	// storeDies: the order's Redis is killed while an attempt runs, and comes back with what it has kept.
	storeDies = &drill{"the order's Redis killed while an attempt runs", playStoreDies}
)

// whole goes the whole way of a basket, undisturbed.
func (s *stage) whole(ctx context.Context, k kind) error {
	b, err := s.lay(ctx, k)
	if err == nil {
		<-s.ask(ctx, b)
	}
	return err
}

func (s *stage) lateReserve(ctx context.Context, wait func(*basket) error) error {
	c, err := s.catch(ctx, sells, pauseAt, "payment: participant reserve received")
	if err != nil {
		return err
	}
	if err := s.revive(ctx, "order-1", "order-2"); err != nil {
		return err
	}
	if err := s.until(ctx, c.basket, "OPEN"); err != nil {
		return err
	}
	if err := wait(c.basket); err != nil {
		return err
	}
	return s.goOn(ctx, c.points[0])
}

// recordGone waits until payment has no record of the order's attempt any more; suffix is that of the record's name.
func (s *stage) recordGone(ctx context.Context, b *basket, suffix string) error {
	o, _, err := s.look(ctx, b)
	if err != nil {
		return err
	}
	return check.Poll(ctx, drillWithin, func(ctx context.Context) error {
		n, err := s.shards["payment"][0].Exists(ctx, "{p0}r:"+o.Attempt+suffix).Result()
		if err == nil && n > 0 {
			err = fmt.Errorf("the record of %s%s is there", o.Attempt, suffix)
		}
		return err
	})
}

func playRefusedTwice(ctx context.Context, s *stage) error {
	c, err := s.catch(ctx, noCredit, pauseAt, "payment: participant reserve received")
	if err != nil {
		return err
	}
	if a := <-c.answered; a.Status != http.StatusPaymentRequired {
		return fmt.Errorf("not refused: %v", a)
	}
	if a := s.Call("POST", "/payment/add_funds/"+c.User+"/100"); !a.OK() {
		return fmt.Errorf("adding funds: %v", a)
	}
	s.baskets.put.Credit[c.User] += 100
	return s.goOn(ctx, c.points[0])
}

func playOrphaned(ctx context.Context, s *stage) error {
	if _, err := s.catch(ctx, sells, pauseAt, "order: coordinator reserve stock"); err != nil {
		return err
	}
	if err := s.kill("order-1", "order-2"); err != nil {
		return err
	}
	sleep(ctx, 1500*time.Millisecond)
	return s.start(ctx, "order-1", "order-2")
}

func playOvertaken(ctx context.Context, s *stage) error {
	c, err := s.catch(ctx, sells, pauseAt, "order: coordinator reserve stock", "order: recovery release payment")
	if err != nil {
		return err
	}
	if err := s.goOn(ctx, c.points[0]); err != nil {
		return err
	}
	<-c.answered
	return s.goOn(ctx, c.points[1])
}

func playOvertaking(ctx context.Context, s *stage) error {
	c, err := s.catch(ctx, sells, pauseAt, "order: coordinator reserve stock", "order: recovery claim")
	if err != nil {
		return err
	}
	if err := s.goOn(ctx, c.points[0]); err != nil {
		return err
	}
	if a := <-c.answered; !a.OK() {
		return fmt.Errorf("it did not commit: %v", a)
	}
	return s.goOn(ctx, c.points[1])
}

func playSuperseded(ctx context.Context, s *stage) error {
	c, err := s.catch(ctx, sells, pauseAt, "order: coordinator reserve stock")
	if err != nil {
		return err
	}
	if err := s.until(ctx, c.basket, "OPEN"); err != nil {
		return err
	}
	begins, err := s.armAt(ctx, 2, pauseAt, "order", "coordinator begin", c.Order) // the first learns of the attempt before
	if err != nil {
		return err
	}
	second := map[string]int{"order-1": 1, "order-2": 0}[c.first]                              // the other one
	s.asking.Go(func() { s.Call("POST", s.PublicURLs("order")[second]+"/checkout/"+c.Order) }) // it dies before it answers
	if err := s.until(ctx, c.basket, "RUNNING"); err != nil {
		return err
	}
	at, err := s.meet(ctx, begins)
	if err != nil {
		return err
	}
	if err := s.goOn(ctx, c.points[0]); err != nil {
		return err
	}
	<-c.answered
	return s.revive(ctx, at)
}

func playBetweenReleases(ctx context.Context, s *stage) error {
	b, err := s.baskets.lay(ctx, noStock)
	if err != nil {
		return err
	}
	stock, err := s.arm(ctx, pauseAt, "order", "coordinator release stock", b.items[0])
	if err != nil {
		return err
	}
	credit, err := s.arm(ctx, pauseAt, "order", "coordinator release payment", b.User)
	if err != nil {
		return err
	}
	s.ask(ctx, b)
	err = check.Poll(ctx, drillWithin, func(context.Context) error {
		if s.points.firedAt(stock) == "" && s.points.firedAt(credit) == "" {
			return errors.New("nothing was released")
		}
		return nil
	})
	if err != nil {
		return err
	}
	_, holds, err := s.look(ctx, b)
	if len(holds["stock"]) > 0 && len(holds["payment"]) == 0 {
		s.say("an attempt holds stock without credit: %v", holds)
	}
	return errors.Join(err, s.goOn(ctx, credit), s.goOn(ctx, stock))
}

func playStoreDies(ctx context.Context, s *stage) error {
	c, err := s.catch(ctx, sells, pauseAt, "order: coordinator reserve payment")
	if err != nil {
		return err
	}
	if err := errors.Join(s.Kill("redis-order-0"), s.Start(ctx, "redis-order-0"), s.ready(ctx)); err != nil {
		return err
	}
	return s.goOn(ctx, c.points[0])
}
