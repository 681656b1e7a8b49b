-- Returns the state: {now, until, since, opens, closed, gen, reason, login, proven}.

return state()
