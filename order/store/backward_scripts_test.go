package store

import "testing"

func TestBackwardScripts(t *testing.T) {
	runRows(t, []row{
		{name: "abort ABORTING", before: lapsed, call: abortOf("A"), want: result(CodeAborting, "A", "given-up"),
			after: "o:O a=A by=me dl=now+30 i:x=2@5 i:y=1@7,3@8 k=2 lease=now-5 q=6 r=given-up s=ABORTING t=41 u=U" +
				"\nundecided O at now+5"},
		{name: "abort ABORTING before", before: aborting, call: abortOf("A"), want: found(CodeAborting)},
		{name: "abort NOT_FOUND", call: abortOf("A"), want: Result{}},
		{name: "abort OPEN", before: closed, call: abortOf("A"), want: found(CodeClosed)},
		{name: "abort PAID", before: paid, call: abortOf("A"), want: found(CodePaid)},
		{name: "abort REFUNDING", before: refunding, call: abortOf("A"), want: found(CodeRefunding)},
		{name: "abort CANCELLED", before: cancelled, call: abortOf("A"), want: found(CodeCancelled)},
		{name: "abort RUNNING, another attempt", before: otherRunning, call: abortOf("A"),
			want: result(CodeRunning, "B", "")},

		{name: "close CLOSED", before: aborting, call: closeOf("A"), want: Result{Code: CodeClosed}, after: closed},
		{name: "close CLOSED before", before: closed, call: closeOf("A"), want: Result{Code: CodeClosed}},
		{name: "close CLOSED, superseded", before: otherRunning, call: closeOf("A"), want: Result{Code: CodeClosed}},
		{name: "close CLOSED, the order is gone", call: closeOf("A"), want: Result{Code: CodeClosed}},
		{name: "close CLOSED, a PAID order is unchanged", before: paid, call: closeOf("A"), want: Result{Code: CodeClosed}},

		{name: "cancel REFUNDING", before: paid, call: cancelOf("A"), want: toRefund,
			after: by("me", decided("REFUNDING")) + "\nundecided O at now+5"},
		{name: "cancel REFUNDING before", before: refunding, call: cancelOf("A"), want: toRefund},
		{name: "cancel NOT_FOUND", call: cancelOf("A"), want: Result{}},
		{name: "cancel ABORTING", before: aborting, call: cancelOf("A"), want: found(CodeAborting)},
		{name: "cancel OPEN", before: closed, call: cancelOf("A"), want: found(CodeClosed)},
		{name: "cancel PAID by another attempt", before: paid, call: cancelOf("B"), want: found(CodePaid)},
		{name: "cancel CANCELLED", before: cancelled, call: cancelOf("A"), want: found(CodeCancelled)},
		{name: "cancel RUNNING", before: running, call: cancelOf("A"), want: Result{Code: CodeRunning, Attempt: "A"}},

		{name: "cancelled CANCELLED", before: refunding, call: cancelledOf("A", []int{0, 2}, []int{1}),
			want: Result{Code: CodeCancelled}, after: cancelled + "\nunconfirmed A:refund now+120 0,2 1 at now"},
		{name: "cancelled CANCELLED, nothing bought", before: refunding, call: cancelledOf("A", nil, nil),
			want: Result{Code: CodeCancelled}, after: cancelled},
		{name: "cancelled REFUNDING, another attempt", before: refunding, call: cancelledOf("B", nil, nil),
			want: Result{Code: CodeRefunding}},
		{name: "cancelled NOT_FOUND", call: cancelledOf("A", nil, nil), want: Result{}},
		{name: "cancelled ABORTING", before: aborting, call: cancelledOf("A", nil, nil), want: Result{Code: CodeAborting}},
		{name: "cancelled OPEN", before: closed, call: cancelledOf("A", nil, nil), want: Result{Code: CodeClosed}},
		{name: "cancelled PAID", before: paid, call: cancelledOf("A", nil, nil), want: Result{Code: CodePaid}},
		{name: "cancelled RUNNING", before: running, call: cancelledOf("A", nil, nil), want: Result{Code: CodeRunning}},
	})
}
