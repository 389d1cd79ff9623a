package check

// Deposits are the credit and the stock that clients put into the system. Unless Partial is set, a missing
// entry means 0.
type Deposits struct {
	Credit map[string]int64 // by user
	Stock  map[string]int64 // by item

	// UncertainCredit and UncertainStock are the amounts of requests with an unknown outcome, by user and by item. Any
	// subset of these requests may have taken effect. The amount of a request that subtracts is negative.
	UncertainCredit, UncertainStock map[string][]int64

	Partial bool // do not check users and items without an entry, because other clients created them
}

// NewDeposits returns empty deposits.
func NewDeposits() Deposits {
	return Deposits{Credit: map[string]int64{}, Stock: map[string]int64{}, UncertainCredit: map[string][]int64{},
		UncertainStock: map[string][]int64{}}
}

// explains reports whether a subset of the uncertain amounts adds up to the difference.
func (Deposits) explains(uncertain []int64, difference int64) bool {
	sums := map[int64]bool{0: true}
	for _, amount := range uncertain {
		next := make(map[int64]bool, 2*len(sums))
		for sum := range sums {
			next[sum], next[sum+amount] = true, true
		}
		sums = next
	}
	return sums[difference]
}

// Resolve calculates uncertain deposits from the snapshot. Check the snapshot for violations first, because Resolve
// hides them.
func (d Deposits) Resolve(sn *Snapshot) {
	spent, sold := sn.paidTotals()
	for user := range d.UncertainCredit {
		d.Credit[user] = sn.Credit[user] + spent[user] + sn.DirectPayments[user]
	}
	for item := range d.UncertainStock {
		d.Stock[item] = sn.Stock[item] + sold[item]
	}
	clear(d.UncertainCredit)
	clear(d.UncertainStock)
}
