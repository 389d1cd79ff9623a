// Stock keeps the items: a price and a number of pieces each. It is a participant of the checkout: attempts reserve pieces here.
//
//	routes.go   every route of both listeners
//	item.go     items: made, found, added to, subtracted from
//	store.go, keys.go, lua/   the state, and the scripts that change it
//
// What a checkout asks of it (reserve, release, refund, confirm) is in common/participant, shared with payment.
package main
