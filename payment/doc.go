// Payment keeps the users: a credit each, and what each paid directly for an order. It is a participant of the checkout:
// attempts reserve credit here.
//
//	routes.go    every route of both listeners
//	user.go      users: made, found, given funds
//	payment.go   direct payments, their status, and cancel, which undoes a checkout as well
//	orders.go    the order service, as payment sees it
//	store.go, keys.go, lua/   the state, and the scripts that change it
//
// What a checkout asks of it (reserve, release, refund, confirm) is in common/participant, shared with stock.
package main
