package check

// Goods is what was put into the system by hand: credit by user, stock by item. What is not named started with nothing.
type Deposits struct {
	Credit, Stock map[string]int64

	// What may have been put in, or taken out, besides: nobody was told whether it was.
	UncertainCredit, UncertainStock map[string][]int64

	Partial bool // the system also holds users and items that others made; they are not checked
}

// NewGoods returns no goods.
func NewDeposits() Deposits {
	return Deposits{Credit: map[string]int64{}, Stock: map[string]int64{}, UncertainCredit: map[string][]int64{}, UncertainStock: map[string][]int64{}}
}

// explains tells whether some of what may have happened, each once, adds up to a difference.
func (Deposits) explains(maybe []int64, difference int64) bool {
	sums := map[int64]bool{0: true}
	for _, amount := range maybe {
		next := make(map[int64]bool, 2*len(sums))
		for sum := range sums {
			next[sum], next[sum+amount] = true, true
		}
		sums = next
	}
	return sums[difference]
}

// Settle takes what a quiet system, in which nothing is wrong, holds for what was put in: what had not been known is known now.
func (g Deposits) Resolve(sn *Snapshot) {
	spent, gone := sn.paidTotals()
	for user := range g.UncertainCredit {
		g.Credit[user] = sn.Credit[user] + spent[user] + sn.DirectPayments[user]
	}
	for item := range g.UncertainStock {
		g.Stock[item] = sn.Stock[item] + gone[item]
	}
	clear(g.UncertainCredit)
	clear(g.UncertainStock)
}
