-- The reference: the body that the receiver gets from pushwire, posted by wrk.
-- Usage: wrk -s bench/wrk_post.lua URL -- BODY_FILE
function init(args)
  local file = assert(io.open(args[1], "rb"))
  wrk.method = "POST"
  wrk.body = file:read("*a")
  wrk.headers["Content-Type"] = "application/json"
  file:close()
end
