package policy

import (
	"fmt"
	"slices"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types/ref"

	"github.com/firmward/firmward"
)

// Selector compiles a CEL expression over one device to a filter. Known names: site, zone, class,
// vendor, model, family, owner, function, network (strings), criticality (int), exposed and spare
// (bools). Operators: ==, !=, in [..], >=, &&, ||, !, startsWith().
func Selector(text string) (firmward.Filter, error) {
	opts := make([]cel.EnvOption, 0, 12)
	for _, f := range firmward.FilterFields() {
		t := cel.StringType
		switch f {
		case "criticality":
			t = cel.IntType
		case "exposed", "spare":
			t = cel.BoolType
		}
		opts = append(opts, cel.Variable(f, t))
	}
	env, err := cel.NewEnv(opts...)
	if err != nil {
		return firmward.Filter{}, fmt.Errorf("build selector environment: %w", err)
	}
	checked, iss := env.Compile(text)
	if iss.Err() != nil {
		return firmward.Filter{}, iss.Err()
	}
	if !checked.OutputType().IsExactType(cel.BoolType) {
		return firmward.Filter{}, fmt.Errorf("the selector gives %s, want true or false", checked.OutputType())
	}
	return compile(checked.NativeRep().Expr())
}

func compile(e ast.Expr) (firmward.Filter, error) {
	switch e.Kind() {
	case ast.IdentKind: // a bare bool: exposed
		return firmward.Filter{Op: firmward.FilterIn, Field: e.AsIdent(), Values: []string{"true"}}, nil
	case ast.LiteralKind:
		if e.AsLiteral().Value() == true {
			return firmward.Filter{}, nil
		}
		return firmward.Filter{Op: firmward.FilterNot, Args: []firmward.Filter{{}}}, nil
	case ast.CallKind:
		return call(e.AsCall())
	}
	return firmward.Filter{}, fmt.Errorf("only tests of one device field joined by &&, || and ! can be used")
}

func call(c ast.CallExpr) (firmward.Filter, error) {
	args := c.Args()
	switch fn := c.FunctionName(); fn {
	case operators.LogicalAnd, operators.LogicalOr, operators.LogicalNot:
		f := firmward.Filter{Op: map[string]firmward.FilterOp{
			operators.LogicalAnd: firmward.FilterAnd, operators.LogicalOr: firmward.FilterOr, operators.LogicalNot: firmward.FilterNot,
		}[fn]}
		for _, a := range args {
			sub, err := compile(a)
			if err != nil {
				return f, err
			}
			f.Args = append(f.Args, sub)
		}
		return f, nil
	case operators.Equals, operators.NotEquals:
		f, err := test(firmward.FilterIn, args[0], args[1])
		if err == nil && fn == operators.NotEquals {
			f = firmward.Filter{Op: firmward.FilterNot, Args: []firmward.Filter{f}}
		}
		return f, err
	case operators.GreaterEquals:
		if args[0].Kind() != ast.IdentKind {
			return firmward.Filter{}, fmt.Errorf(">= wants the field on its left")
		}
		return test(firmward.FilterAtLeast, args[0], args[1])
	case operators.In:
		f, err := test(firmward.FilterIn, args[0])
		if err != nil || args[1].Kind() != ast.ListKind {
			return f, fmt.Errorf("in wants a field on its left and a list of values on its right")
		}
		for _, e := range args[1].AsList().Elements() {
			v, err := literal(e)
			if err != nil {
				return f, err
			}
			f.Values = append(f.Values, v)
		}
		return f, nil
	case "startsWith":
		if c.Target().Kind() != ast.IdentKind {
			return firmward.Filter{}, fmt.Errorf("startsWith wants a field before it")
		}
		return test(firmward.FilterStartsWith, c.Target(), args[0])
	default:
		return firmward.Filter{}, fmt.Errorf("%s cannot be used in a selector: use ==, !=, in, >=, &&, ||, ! or startsWith", fn)
	}
}

// test builds field op value; the field may stand on either side of ==.
func test(op firmward.FilterOp, operands ...ast.Expr) (firmward.Filter, error) {
	f := firmward.Filter{Op: op}
	for _, e := range operands {
		if e.Kind() == ast.IdentKind {
			f.Field = e.AsIdent()
			continue
		}
		v, err := literal(e)
		if err != nil {
			return f, err
		}
		f.Values = append(f.Values, v)
	}
	if !slices.Contains(firmward.FilterFields(), f.Field) || len(f.Values) != len(operands)-1 {
		return f, fmt.Errorf("a test wants one device field and a plain value")
	}
	return f, nil
}

func literal(e ast.Expr) (string, error) {
	if e.Kind() != ast.LiteralKind {
		return "", fmt.Errorf("only plain values can be compared with")
	}
	return text(e.AsLiteral()), nil
}

func text(v ref.Val) string { return fmt.Sprint(v.Value()) }
