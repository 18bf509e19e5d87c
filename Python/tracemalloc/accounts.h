/* Accounts, as Python sees them: see accounts.c. */

#ifndef TRACEMALLOC_ACCOUNTS_H
#define TRACEMALLOC_ACCOUNTS_H

#include "Python.h"

#include "store/name_table.h"

/* Add the functions to the module: 0, or -1 with an exception. */
extern int _PyTraceMalloc_AddAccounts(PyObject *module);

/* The name of an account, which lives as long as the runtime. */
PART const struct name *tm_account_name(uint32_t account);

/* Forget names: the runtime ends. */
PART void tm_forget_accounts(void);

#endif  /* !TRACEMALLOC_ACCOUNTS_H */
