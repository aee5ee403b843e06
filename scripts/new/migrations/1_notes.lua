return {
  up = function(s)
    s:create_table("notes", function(t)
      t:id()
      t:string("title", 200, { null = false })
      t:text "body"
      t:timestamps()
    end)
  end,
  down = function(s) s:drop_table "notes" end,
}
