-- wrk sends the requests of the file named on its command line, one after another, from the beginning again at its end.
local requests, count, turn = {}, 0, 0

function init(arguments)
   local file = assert(io.open(arguments[1], "rb"))
   for request in file:read("*a"):gmatch("[^%z]+") do
      count = count + 1
      requests[count] = request
   end
   file:close()
end

function request()
   turn = turn % count + 1
   return requests[turn]
end
