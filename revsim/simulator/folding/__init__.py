"""From gates to what they compute: programs as netlists of fewer operations, by Boolean algebra."""
