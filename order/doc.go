// Order keeps carts and is the coordinator of the checkout.
//
// A checkout is a saga. The order's own record is its log: the cart is frozen while an attempt runs, so no second log is needed.
//
//	begin    order    OPEN -> RUNNING, with a lease and a deadline
//	reserve  payment  the credit, first, so that stock is never held by someone who cannot pay
//	reserve  stock    every line of the cart, in one call
//	commit   order    RUNNING -> PAID: the decision, one compare-and-set in one Redis
//
// and, where stock refuses or somebody is away for too long,
//
//	abort    order    RUNNING -> ABORTING: from here on this attempt cannot be paid
//	release  stock, unless its only shard has recorded that it refuses; then payment
//	close    order    ABORTING -> OPEN
//
// Whoever dies on the way, a recovery worker of any machine finds the order in `undecided` and ends what was begun.
//
//	routes.go        every route
//	cart.go          orders and what is in them
//	batch.go         batch_init
//	checkout.go      the saga, forward
//	attempt.go       what an attempt is called, and who it may be begun for
//	abort.go         and back
//	queue.go         how many at a time
//	cancel.go        the reverse saga of a paid order
//	recovery.go      the workers that end what others have left
//	repeat.go        how steps are repeated
//	deadline.go      and for how long
//	participants.go  stock and payment, as the coordinator sees them
//	metrics.go       what is counted of all that
//	backlog.go       and what is told, when asked, of what waits
//	overview.go      how the machine stands, for people
//	site.go, site/   the pages that people look at, and the description of the whole API
//	store.go, saga_store.go, keys.go, lua/   the state, and the scripts that change it
package main
